#!/bin/bash -l
#SBATCH --nodes=2-4
#SBATCH --ntasks=256
#SBATCH --ntasks-per-node=128
#SBATCH --mem-per-cpu=1500M
#SBATCH --distribution=cyclic
#SBATCH --partition=cloud
#SBATCH --tmp=500G
#SBATCH --mail-type=BEGIN,END,FAIL --mail-user=ann@example.org
module purge
module load openmpi
mpirun ./lmp -in in.lj
