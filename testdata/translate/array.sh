#!/bin/bash
#SBATCH -J sweep
#SBATCH --array=0-99:3%8
#SBATCH -c 4 --mem-per-cpu=2000
#SBATCH -o logs/%x_%A_%a.out
#SBATCH -e logs/%x_%A_%a.err
#SBATCH -t 2:00:00
set -euo pipefail
python sweep.py --index "$SLURM_ARRAY_TASK_ID" --of "$SLURM_ARRAY_TASK_COUNT"
