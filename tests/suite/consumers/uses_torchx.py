"""torchx: a job of two replicas, which it submits as a heterogeneous one; their output; the end of another job.

Of a Slurm of this release (0.7.0) it can read neither the state of a cancelled job (`CANCELLED by 1000`) nor the list in
`sacct --json`, so it is not asked for these.
"""
import os, time, warnings
from torchx.runner import get_runner
from torchx.schedulers.api import Stream
from torchx.specs import AppState

warnings.simplefilter("ignore")
os.mkdir("jobs")
config = {"partition": "main", "time": "10", "job_dir": os.path.abspath("jobs")}
with get_runner() as runner:
    replicas = runner.run_component(
        "utils.sh", ["--num_replicas", "2", "sh", "-c", "echo one of $SLURM_HET_SIZE"], scheduler="slurm", cfg=config)
    print("state:", runner.wait(replicas, wait_interval=1).state.name)
    print("said:", [line.strip() for k in (0, 1) for line in runner.log_lines(replicas, "sh", k, streams=Stream.STDOUT)])
    endless = runner.run_component("utils.sh", ["sleep", "3600"], scheduler="slurm", cfg=config)
    while runner.status(endless).state != AppState.RUNNING:
        time.sleep(0.5)
    print("runs:", runner.status(endless).state.name)
    runner.cancel(endless)
