complete -c sbatch -s A -l account -d 'charge job to specified account' -r
complete -c sbatch -l acctg-freq -d 'accounting and profiling sampling intervals (no effect here)' -r
complete -c sbatch -s a -l array -d 'job array index values' -r
complete -c sbatch -s b -l begin -d 'defer job until HH:MM MM/DD/YY' -r
complete -c sbatch -s D -l chdir -d 'set working directory for batch script or tasks (on SkyPilot: the nodes have a copy of the directory, unless they see it (shared, in the configuration))' -r -F
complete -c sbatch -s M -l clusters -l cluster -d 'clusters to issue commands to' -r
complete -c sbatch -l comment -d 'arbitrary comment' -r
complete -c sbatch -l container-env -d '[pyxis] names of variables that override those of the image (on this machine: refused; on SkyPilot: no effect here)' -r
complete -c sbatch -l container-image -d '[pyxis] the image to start the nodes with (on this machine: refused)' -r
complete -c sbatch -l context -d 'SELinux context to run in (no effect here)' -r
complete -c sbatch -s C -l constraint -d 'specify a list of constraints (on SkyPilot: only the name of a GPU type can be met; other features are refused)' -r
complete -c sbatch -s S -l core-spec -d 'count of reserved cores (no effect here)' -r
complete -c sbatch -l cores-per-socket -d 'number of cores per socket to allocate (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c sbatch -l cpus-per-gpu -d 'number of CPUs required per allocated GPU' -r
complete -c sbatch -s c -l cpus-per-task -d 'number of cpus required per task' -r
complete -c sbatch -l deadline -d 'remove the job if no ending possible before this deadline (start > (deadline - time[-min]))' -r
complete -c sbatch -l delay-boot -d 'delay boot for desired node features (no effect here)' -r
complete -c sbatch -s d -l dependency -d 'defer job until condition on jobid is satisfied' -r
complete -c sbatch -s m -l distribution -d 'distribution method for processes to nodes (type = block|cyclic|arbitrary)' -r
complete -c sbatch -s e -l error -d 'file for standard error' -r -F
complete -c sbatch -s x -l exclude -d 'exclude a specific list of hosts (on SkyPilot: refused)' -r
complete -c sbatch -l exclusive -d 'allocate nodes in exclusive mode when cpu consumable resource is enabled (on SkyPilot: nodes are made for the job; on Kubernetes other pods may be on the same machine)' -r
complete -c sbatch -l export -d 'specify environment variables to export (on SkyPilot: variables that belong to this machine (PATH, HOME, LD_*, ...) stay here)' -r
complete -c sbatch -l export-file -d 'specify environment variables file or file descriptor to export' -r -F
complete -c sbatch -l extra -d 'arbitrary string enclosed in single or double quotes' -r
complete -c sbatch -s B -l extra-node-info -d 'combine request of sockets per node, cores per socket and threads per core (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c sbatch -l get-user-env -d 'load environment from local cluster (on SkyPilot: it is the environment of a login on the node)' -r
complete -c sbatch -l gpu-bind -d 'task to gpu binding options' -r
complete -c sbatch -s G -l gpus -d 'count of GPUs required for the job (on SkyPilot: nodes are all alike: what cannot be shared out evenly is rounded up on each node)' -r
complete -c sbatch -l gpus-per-node -d 'number of GPUs required per allocated node' -r
complete -c sbatch -l gpus-per-task -d 'number of GPUs required per spawned task' -r
complete -c sbatch -l gres -d 'required generic resources (on SkyPilot: GPUs only; other generic resources are refused)' -r
complete -c sbatch -l gres-flags -d 'flags related to GRES management (no effect here)' -r -f -a "disable-binding\t''
enforce-binding\t''
one-task-per-sharing\t''
multiple-tasks-per-sharing\t''
allow-task-sharing\t''"
complete -c sbatch -l hint -d 'bind tasks according to application hints (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c sbatch -s i -l input -d 'file for standard input (on SkyPilot: the file has to be in the work directory, or where the nodes see it)' -r -F
complete -c sbatch -s J -l job-name -d 'name of job' -r
complete -c sbatch -l kill-on-invalid-dep -d 'terminate job if its dependency can never be satisfied' -r -f -a "yes\t''
no\t''"
complete -c sbatch -s L -l licenses -d 'required license, comma separated' -r
complete -c sbatch -l mail-type -d 'notify on state change: BEGIN, END, FAIL or ALL' -r
complete -c sbatch -l mail-user -d 'who to send email notification for job state changes' -r
complete -c sbatch -l mcs-label -d 'mcs label if mcs plugin mcs/group is used (no effect here)' -r
complete -c sbatch -l mem -d 'minimum amount of real memory' -r
complete -c sbatch -l mem-bind -d 'bind memory to locality domains (ldom) (no effect here)' -r
complete -c sbatch -l mem-per-cpu -d 'maximum amount of real memory per allocated cpu required by the job' -r
complete -c sbatch -l mem-per-gpu -d 'real memory required per allocated GPU' -r
complete -c sbatch -l mincpus -d 'minimum number of logical processors (threads) per node' -r
complete -c sbatch -l network -d 'network options, such as switch use (on this machine: no effect here; on SkyPilot: how the nodes are connected is the infra\'s choice)' -r
complete -c sbatch -l nice -d 'decrease scheduling priority by value (on SkyPilot: it is taken from SkyPilot\'s priority, which ends at -1000)' -r
complete -c sbatch -s k -l no-kill -d 'do not kill job on node failure (on this machine: no effect here; on SkyPilot: when a node fails SkyPilot recovers the whole job, and the script starts again)' -r -f -a "off\t''
no\t''
set\t''"
complete -c sbatch -s F -l nodefile -d 'request a specific list of hosts (on SkyPilot: refused)' -r -F
complete -c sbatch -s w -l nodelist -d 'request a specific list of hosts (on SkyPilot: refused)' -r
complete -c sbatch -s N -l nodes -d 'number of nodes on which to run (N = min[-max]) (on SkyPilot: of a range it is the least that holds the tasks and GPUs)' -r
complete -c sbatch -s n -l ntasks -d 'number of tasks to run' -r
complete -c sbatch -l ntasks-per-core -d 'number of tasks to invoke on each core (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c sbatch -l ntasks-per-gpu -d 'number of tasks to invoke for each GPU' -r
complete -c sbatch -l ntasks-per-node -l tasks-per-node -d 'number of tasks to invoke on each node' -r
complete -c sbatch -l ntasks-per-socket -d 'number of tasks to invoke on each socket (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c sbatch -l open-mode -d 'how to open the output and error files' -r
complete -c sbatch -s o -l output -d 'file for standard output' -r -F
complete -c sbatch -s p -l partition -d 'partition requested' -r
complete -c sbatch -l power -d 'power management options (no effect here)' -r
complete -c sbatch -l priority -d 'set the priority of the job to value (on SkyPilot: it orders the jobs that wait here; SkyPilot\'s own priority is that of the QOS)' -r
complete -c sbatch -l profile -d 'enable acct_gather_profile for detailed data (no effect here)' -r
complete -c sbatch -l propagate -d 'propagate all [or specific list of] rlimits (on SkyPilot: limits are raised as far as the node allows)' -r
complete -c sbatch -s q -l qos -d 'quality of service (on SkyPilot: its priority and class are what the configuration says)' -r
complete -c sbatch -l reservation -d 'allocate resources from named reservation (on SkyPilot: refused)' -r
complete -c sbatch -l segment -d 'segment size of a block topology (no effect here)' -r
complete -c sbatch -l signal -d 'send signal when time limit within time seconds' -r
complete -c sbatch -l sockets-per-node -d 'number of sockets per node to allocate (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c sbatch -l switches -d 'optimum switches and max time to wait for optimum (on this machine: no effect here; on SkyPilot: how the nodes are connected is the infra\'s choice)' -r
complete -c sbatch -l thread-spec -d 'count of reserved threads (no effect here)' -r
complete -c sbatch -l threads-per-core -d 'number of threads per core to allocate (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c sbatch -s t -l time -d 'time limit' -r
complete -c sbatch -l time-min -d 'minimum time limit (if distinct) (on SkyPilot: no effect here)' -r
complete -c sbatch -l tmp -d 'minimum amount of temporary disk (on this machine: temporary disk is not counted: none is set aside for the job)' -r
complete -c sbatch -l tres-bind -d 'task to tres binding options (every task sees all GPUs that the step has on its node)' -r
complete -c sbatch -l tres-per-task -d 'list of tres required per task' -r
complete -c sbatch -l wait-all-nodes -d 'wait for all nodes to be ready before starting (on SkyPilot: no effect here)' -r
complete -c sbatch -l wckey -d 'wckey to run job under (workload keys are not recorded)' -r
complete -c sbatch -l wrap -d 'wrap command string in a sh script and submit' -r
complete -c sbatch -l container-mount-home -d '[pyxis] bind mount the user\'s home directory (on this machine: refused; on SkyPilot: the home directory is the image\'s own; the work directory is copied into it)'
complete -c sbatch -l container-readonly -d '[pyxis] make the container filesystem read-only (on this machine: refused; on SkyPilot: the node\'s file system can be written to)'
complete -c sbatch -l container-remap-root -d '[pyxis] ask to be remapped to root inside the container (on this machine: refused; on SkyPilot: no effect here)'
complete -c sbatch -l container-writable -d '[pyxis] make the container filesystem writable (on this machine: refused; on SkyPilot: no effect here)'
complete -c sbatch -l contiguous -d 'demand a contiguous range of nodes (no effect here)'
complete -c sbatch -s h -l help -d 'show this help message'
complete -c sbatch -s H -l hold -d 'submit job in held state'
complete -c sbatch -l ignore-pbs -d 'ignore #PBS and #BSUB options in the batch script'
complete -c sbatch -l no-container-entrypoint -d '[pyxis] do not execute the entrypoint of the container image (on this machine: refused; on SkyPilot: no effect here)'
complete -c sbatch -l no-container-mount-home -d '[pyxis] do not bind mount the user\'s home directory (on this machine: refused; on SkyPilot: no effect here)'
complete -c sbatch -l no-container-remap-root -d '[pyxis] do not remap to root inside the container (on this machine: refused; on SkyPilot: one is root in most images)'
complete -c sbatch -l no-requeue -d 'if set, do not permit the job to be requeued'
complete -c sbatch -s O -l overcommit -d 'overcommit resources'
complete -c sbatch -s s -l oversubscribe -d 'over subscribe resources with other jobs (on SkyPilot: no effect here)'
complete -c sbatch -l parsable -d 'outputs only the jobid and cluster name (if present), separated by semicolon, only on successful submission'
complete -c sbatch -s Q -l quiet -d 'quiet mode (suppress informational messages)'
complete -c sbatch -l requeue -d 'if set, permit the job to be requeued'
complete -c sbatch -l spread-job -d 'spread job across as many nodes as possible (on SkyPilot: refused)'
complete -c sbatch -l stepmgr -d 'let the job\'s first node manage its steps (no effect here)'
complete -c sbatch -l test-only -d 'validate the request and estimate when it would start, but do not submit (on SkyPilot: the job is checked; when it would start cannot be told)'
complete -c sbatch -l use-min-nodes -d 'if a range of node counts is given, prefer the smaller count (on SkyPilot: no effect here)'
complete -c sbatch -s v -l verbose -d 'verbose mode (multiple -v\'s increase verbosity)'
complete -c sbatch -s V -l version -d 'output version information and exit'
complete -c sbatch -l usage -d 'display brief usage message'
complete -c sbatch -s W -l wait -d 'wait for completion of submitted job'
