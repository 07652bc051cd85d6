"""What submitit is used for: results, arrays, failures, cancelling, several tasks, and jobs that requeue themselves."""

import os
import time

import submitit


class Interrupted(submitit.helpers.Checkpointable):
    """Sleeps until it is interrupted; when it is run again it ends."""

    def __call__(self, marker):
        if os.path.exists(marker):
            return "resumed " + os.environ["SLURM_RESTART_COUNT"]
        open(marker, "w").close()
        time.sleep(600)


def add(a, b):
    return a + b


def fail():
    raise ValueError("on purpose")


def rank():
    environment = submitit.JobEnvironment()
    return environment.global_rank, environment.num_tasks, environment.node, len(environment.hostnames)


if __name__ == "__main__":
    executor = submitit.AutoExecutor(folder="log/%j", cluster="slurm")
    executor.update_parameters(timeout_min=5, cpus_per_task=1, mem_gb=1)
    job = executor.submit(add, 5, 7)
    print("one:", job.result())
    print("array:", [job.result() for job in executor.map_array(add, [1, 2, 3], [10, 20, 30])])
    try:
        executor.submit(fail).result()
    except submitit.core.utils.FailedJobError as error:
        print("failed:", "on purpose" in str(error))

    job = executor.submit(time.sleep, 600)
    while job.watcher.get_state(job.job_id, mode="force") != "RUNNING":
        time.sleep(0.05)
    job.cancel(check=True)
    while not job.watcher.get_state(job.job_id, mode="force").startswith("CANCELLED"):
        time.sleep(0.05)
    print("cancelled:", job.done(force_check=True))

    job = executor.submit(Interrupted(), os.path.abspath("marker"))
    while not os.path.exists("marker"):
        time.sleep(0.05)
    job._interrupt()
    print("interrupted:", job.result())

    executor.update_parameters(nodes=2, tasks_per_node=2)
    print("tasks:", executor.submit(rank).results())
