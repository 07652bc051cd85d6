# Sourced by the scripts here. Everything is below SKYSLURM_SKY_DIR.
SKY_DIR=${SKYSLURM_SKY_DIR:-/tmp/skyslurm-sky}
SKY_VENV=${SKYSLURM_SKY_VENV:-$SKY_DIR/venv}       # python environment with the server; may be another one's
SKY_HOME=$SKY_DIR/home                            # HOME of the API server
SKY_SLURM=$SKY_DIR/slurm                          # the Slurm it drives
SKY_PORT=${SKYSLURM_SKY_PORT:-46680}              # API server
SKY_SSH_PORT=${SKYSLURM_SKY_SSH_PORT:-40122}
SKY_CTLD_PORT=${SKYSLURM_SKY_CTLD_PORT:-47917}    # slurmctld; the nodes' are the next three
SKY_NETOK_PORT=${SKYSLURM_SKY_NETOK_PORT:-46699}
SKY_POLL=${SKYSLURM_SKY_POLL:-15}              # seconds between the server's looks at a job
SKY_NODES=3
SKY_VERSION=0.14.1
SKY_QUEUE_PORT=$((50011 + SKY_PORT - 46580))       # the server's own (sky/server/requests/queues/mp_queue.py)
SKY_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SKY_DIR SKY_VENV SKY_SLURM
say() { echo "tests/sky: $*" >&2; }
