#!/bin/bash
#SBATCH --job-name=ray
#SBATCH --partition=warm,cloud
#SBATCH --nodes=3 --ntasks-per-node=1 --exclusive
#SBATCH --cpus-per-task=16
#SBATCH --chdir=/data/ray
head=$(hostname)
srun --nodes=1 --ntasks=1 -w "$head" ray start --head --port=6379 --block &
sleep 10
cat <<'END_OF_SCRIPT'
this line must not end the script:
END_OF_SCRIPT
python driver.py
