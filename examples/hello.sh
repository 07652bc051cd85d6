#!/bin/bash
#SBATCH --job-name=hello
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=2
#SBATCH --time=5
#SBATCH --output=hello-%j.out

# The script itself runs once, on the first node.
echo "job $SLURM_JOB_ID: $SLURM_NTASKS tasks on $SLURM_JOB_NODELIST, script on $SLURMD_NODENAME"

# One line of every task; --label says which one it was.
srun --label bash -c 'echo "task $SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME"'

# A step on two of the nodes.
srun --nodes=2 --ntasks=2 bash -c 'echo "step $SLURM_STEP_ID, node $SLURM_NODEID: $SLURMD_NODENAME"'
