#!/bin/bash
#SBATCH -p warm -N 1 --gpus-per-task=1 --ntasks=4 --cpus-per-task=8 --mem=0
#SBATCH --qos=high --nice=700
srun python eval.py
