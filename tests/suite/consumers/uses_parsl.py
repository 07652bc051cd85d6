"""Parsl's blocks of workers as Slurm jobs."""

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SrunLauncher
from parsl.providers import SlurmProvider


@parsl.python_app
def square(x):
    return x * x


if __name__ == "__main__":
    provider = SlurmProvider(
        partition="main", nodes_per_block=2, init_blocks=1, max_blocks=1, walltime="00:10:00", launcher=SrunLauncher(),
        exclusive=False, cores_per_node=1, worker_init="export PATH=" + __import__("os").environ["PATH"],
    )
    executor = HighThroughputExecutor(label="htex", address="127.0.0.1", max_workers_per_node=1, provider=provider)
    with parsl.load(Config(executors=[executor], run_dir="runinfo")):
        print("squares:", [future.result() for future in [square(x) for x in range(4)]])
