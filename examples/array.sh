#!/bin/bash
#SBATCH --job-name=sweep
#SBATCH --array=0-11%4
#SBATCH --cpus-per-task=1
#SBATCH --time=10
#SBATCH --output=sweep-%A_%a.out

# Twelve points of a grid, four at a time: the index says which one.
rates=(0.1 0.03 0.01 0.003)
depths=(2 4 8)
rate=${rates[SLURM_ARRAY_TASK_ID % ${#rates[@]}]}
depth=${depths[SLURM_ARRAY_TASK_ID / ${#rates[@]}]}

echo "point $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT: rate=$rate depth=$depth"
# python sweep.py --rate "$rate" --depth "$depth" --out "results/$SLURM_ARRAY_TASK_ID.json"
