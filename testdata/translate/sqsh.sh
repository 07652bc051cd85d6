#!/bin/bash
#SBATCH -p gpu --container-image=/images/torch.sqsh
true
