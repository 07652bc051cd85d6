#!/bin/sh
#PBS -N legacy
#PBS -l nodes=2:ppn=8,walltime=4:00:00
#PBS -q cloud
mpirun ./solver
