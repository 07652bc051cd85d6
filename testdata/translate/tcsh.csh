#!/bin/tcsh
#SBATCH -n 16 -p cloud --hold
setenv OMP_NUM_THREADS 1
srun ./a.out
