"""A cluster of dask workers that are Slurm jobs."""

from dask.distributed import Client
from dask_jobqueue import SLURMCluster

if __name__ == "__main__":
    cluster = SLURMCluster(
        cores=2,
        processes=1,
        memory="2GB",
        walltime="00:10:00",
        interface="lo",
        log_directory="log",
        local_directory="scratch",
        worker_extra_args=["--no-dashboard"],
        scheduler_options={"dashboard_address": None},
    )
    cluster.scale(jobs=2)
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=240)
        print("sum:", sum(client.gather(client.map(lambda x: x * x, range(10)))))
    cluster.close()
