complete -c srun -l accel-bind -d 'task to accelerator binding (old form of --gpu-bind) (no effect here)' -r
complete -c srun -s A -l account -d 'charge job to specified account (no effect here)' -r
complete -c srun -l acctg-freq -d 'accounting and profiling sampling intervals (no effect here)' -r
complete -c srun -l bcast -d 'copy executable file to compute nodes' -r -F
complete -c srun -l bcast-exclude -d 'shared object directory paths to exclude' -r -F
complete -c srun -s b -l begin -d 'defer job until HH:MM MM/DD/YY (no effect here)' -r
complete -c srun -s D -l chdir -d 'set working directory for batch script or tasks' -r -F
complete -c srun -s M -l clusters -l cluster -d 'clusters to issue commands to' -r
complete -c srun -l comment -d 'arbitrary comment (no effect here)' -r
complete -c srun -l compress -d 'data compression library used with --bcast (no effect here)' -r
complete -c srun -l container-env -d '[pyxis] names of variables that override those of the image' -r
complete -c srun -l container-image -d '[pyxis] the image to start the nodes with' -r
complete -c srun -l container-mounts -d '[pyxis] bind mounts inside the container' -r
complete -c srun -l container-name -d '[pyxis] name of the container' -r
complete -c srun -l container-workdir -d '[pyxis] working directory inside the container' -r -F
complete -c srun -l context -d 'SELinux context to run in (no effect here)' -r
complete -c srun -s C -l constraint -d 'specify a list of constraints (no effect here)' -r
complete -c srun -s S -l core-spec -d 'count of reserved cores (no effect here)' -r
complete -c srun -l cores-per-socket -d 'number of cores per socket to allocate (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c srun -l cpu-bind -l cpu_bind -d 'bind tasks to CPUs' -r
complete -c srun -l cpus-per-gpu -d 'number of CPUs required per allocated GPU' -r
complete -c srun -s c -l cpus-per-task -d 'number of cpus required per task' -r
complete -c srun -l deadline -d 'remove the job if no ending possible before this deadline (start > (deadline - time[-min])) (no effect here)' -r
complete -c srun -l delay-boot -d 'delay boot for desired node features (no effect here)' -r
complete -c srun -s d -l dependency -d 'defer job until condition on jobid is satisfied (no effect here)' -r
complete -c srun -s m -l distribution -d 'distribution method for processes to nodes (type = block|cyclic|arbitrary)' -r
complete -c srun -l epilog -d 'run "program" after launching job step' -r -F
complete -c srun -s e -l error -d 'file for standard error' -r -F
complete -c srun -s x -l exclude -d 'exclude a specific list of hosts' -r
complete -c srun -l exclusive -d 'allocate nodes in exclusive mode when cpu consumable resource is enabled' -r
complete -c srun -l export -d 'specify environment variables to export' -r
complete -c srun -l extra -d 'arbitrary string enclosed in single or double quotes (no effect here)' -r
complete -c srun -s B -l extra-node-info -d 'combine request of sockets per node, cores per socket and threads per core (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c srun -l gpu-bind -d 'task to gpu binding options' -r
complete -c srun -s G -l gpus -d 'count of GPUs required for the job' -r
complete -c srun -l gpus-per-node -d 'number of GPUs required per allocated node' -r
complete -c srun -l gpus-per-task -d 'number of GPUs required per spawned task' -r
complete -c srun -l gres -d 'required generic resources' -r
complete -c srun -l gres-flags -d 'flags related to GRES management (no effect here)' -r -f -a "disable-binding\t''
enforce-binding\t''
one-task-per-sharing\t''
multiple-tasks-per-sharing\t''
allow-task-sharing\t''"
complete -c srun -l het-group -l pack-group -d 'hetjob component allocation(s) in which to launch application' -r
complete -c srun -l hint -d 'bind tasks according to application hints (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c srun -s I -l immediate -d 'exit if resources not available in "secs"' -r
complete -c srun -s i -l input -d 'file for standard input' -r -F
complete -c srun -l jobid -d 'run under already allocated job' -r
complete -c srun -s J -l job-name -d 'name of job' -r
complete -c srun -s K -l kill-on-bad-exit -d 'kill the job if any task terminates with a non-zero exit code' -r
complete -c srun -s L -l licenses -d 'required license, comma separated (no effect here)' -r
complete -c srun -l mail-type -d 'notify on state change: BEGIN, END, FAIL or ALL (no effect here)' -r
complete -c srun -l mail-user -d 'who to send email notification for job state changes (no effect here)' -r
complete -c srun -s T -l threads -d 'set srun launch fanout (no effect here)' -r
complete -c srun -l mcs-label -d 'mcs label if mcs plugin mcs/group is used (no effect here)' -r
complete -c srun -l mem -d 'minimum amount of real memory' -r
complete -c srun -l mem-bind -d 'bind memory to locality domains (ldom)' -r
complete -c srun -l mem-per-cpu -d 'maximum amount of real memory per allocated cpu required by the job' -r
complete -c srun -l mem-per-gpu -d 'real memory required per allocated GPU' -r
complete -c srun -l mincpus -d 'minimum number of logical processors (threads) per node (no effect here)' -r
complete -c srun -l mpi -d 'type of MPI being used: none or pmi2; list prints them' -r
complete -c srun -l msg-timeout -d 'message timeout of the launch (no effect here)' -r
complete -c srun -l network -d 'network options, such as switch use (no effect here)' -r
complete -c srun -l nice -d 'decrease scheduling priority by value (no effect here)' -r
complete -c srun -s k -l no-kill -d 'do not kill job on node failure (no effect here)' -r -f -a "off\t''
no\t''
set\t''"
complete -c srun -s F -l nodefile -d 'request a specific list of hosts' -r -F
complete -c srun -s w -l nodelist -d 'request a specific list of hosts' -r
complete -c srun -s N -l nodes -d 'number of nodes on which to run (N = min[-max])' -r
complete -c srun -s n -l ntasks -d 'number of tasks to run' -r
complete -c srun -l ntasks-per-core -d 'number of tasks to invoke on each core (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c srun -l ntasks-per-gpu -d 'number of tasks to invoke for each GPU' -r
complete -c srun -l ntasks-per-node -l tasks-per-node -d 'number of tasks to invoke on each node' -r
complete -c srun -l ntasks-per-socket -d 'number of tasks to invoke on each socket (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c srun -l open-mode -d 'how to open the output and error files' -r
complete -c srun -s o -l output -d 'file for standard output' -r -F
complete -c srun -s p -l partition -d 'partition requested (no effect here)' -r
complete -c srun -l power -d 'power management options (no effect here)' -r
complete -c srun -l prefer -d 'features desired but not required (no effect here)' -r
complete -c srun -l priority -d 'set the priority of the job to value (no effect here)' -r
complete -c srun -l profile -d 'enable acct_gather_profile for detailed data (no effect here)' -r
complete -c srun -l prolog -d 'run "program" before launching job step' -r -F
complete -c srun -l propagate -d 'propagate all [or specific list of] rlimits' -r
complete -c srun -s q -l qos -d 'quality of service (no effect here)' -r
complete -c srun -s r -l relative -d 'run job step relative to node n of allocation' -r
complete -c srun -l reservation -d 'allocate resources from named reservation (no effect here)' -r
complete -c srun -l resv-ports -d 'reserve communication ports' -r
complete -c srun -l segment -d 'segment size of a block topology (no effect here)' -r
complete -c srun -l send-libs -d 'autodetect and broadcast shared objects' -r
complete -c srun -l signal -d 'send signal when time limit within time seconds (no effect here)' -r
complete -c srun -l slurmd-debug -d 'slurmd debug level (no effect here)' -r
complete -c srun -l sockets-per-node -d 'number of sockets per node to allocate (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c srun -l switches -d 'optimum switches and max time to wait for optimum (no effect here)' -r
complete -c srun -l task-epilog -d 'run "program" after each task of the step' -r -F
complete -c srun -l task-prolog -d 'run "program" before each task of the step' -r -F
complete -c srun -l thread-spec -d 'count of reserved threads (no effect here)' -r
complete -c srun -l threads-per-core -d 'number of threads per core to allocate (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c srun -s t -l time -d 'time limit' -r
complete -c srun -l time-min -d 'minimum time limit (if distinct) (no effect here)' -r
complete -c srun -l tmp -d 'minimum amount of temporary disk (no effect here)' -r
complete -c srun -l treewidth -d 'fanout of the launch (no effect here)' -r
complete -c srun -l tres-bind -d 'task to tres binding options' -r
complete -c srun -l tres-per-task -d 'list of tres required per task' -r
complete -c srun -s W -l wait -d 'seconds to wait after first task ends before killing job' -r
complete -c srun -l wckey -d 'wckey to run job under (no effect here)' -r
complete -c srun -l x11 -d 'enable X11 forwarding (on this machine: no effect here; on SkyPilot: refused)' -r
complete -c srun -l container-entrypoint -d '[pyxis] execute the entrypoint of the container image'
complete -c srun -l container-mount-home -d '[pyxis] bind mount the user\'s home directory'
complete -c srun -l container-readonly -d '[pyxis] make the container filesystem read-only'
complete -c srun -l container-remap-root -d '[pyxis] ask to be remapped to root inside the container'
complete -c srun -l container-writable -d '[pyxis] make the container filesystem writable'
complete -c srun -l contiguous -d 'demand a contiguous range of nodes (no effect here)'
complete -c srun -s X -l disable-status -d 'disable display of task status when srun receives Ctrl-C'
complete -c srun -l exact -d 'use only the resources requested for the step'
complete -c srun -l external-launcher -d 'create a step for a process that is launched elsewhere'
complete -c srun -s h -l help -d 'show this help message'
complete -c srun -s H -l hold -d 'submit job in held state (no effect here)'
complete -c srun -l interactive -d 'use the resources of an interactive step (it is a step like others, which leaves what it has to them)'
complete -c srun -s l -l label -d 'prepend task number to lines of stdout/err'
complete -c srun -l multi-prog -d 'if set the program name specified is the configuration specification for multiple programs'
complete -c srun -l no-container-entrypoint -d '[pyxis] do not execute the entrypoint of the container image'
complete -c srun -l no-container-mount-home -d '[pyxis] do not bind mount the user\'s home directory'
complete -c srun -l no-container-remap-root -d '[pyxis] do not remap to root inside the container'
complete -c srun -s O -l overcommit -d 'overcommit resources'
complete -c srun -l overlap -d 'allow other steps to overlap this step'
complete -c srun -s s -l oversubscribe -d 'over subscribe resources with other jobs (no effect here)'
complete -c srun -s E -l preserve-env -d 'env vars for node and task counts override command-line flags'
complete -c srun -l pty -d 'run task zero in pseudo terminal'
complete -c srun -s Q -l quiet -d 'quiet mode (suppress informational messages)'
complete -c srun -l quit-on-interrupt -d 'quit on single Ctrl-C'
complete -c srun -l spread-job -d 'spread job across as many nodes as possible (no effect here)'
complete -c srun -l stepmgr -d 'let the job\'s first node manage its steps (no effect here)'
complete -c srun -l test-only -d 'validate the request and estimate when it would start, but do not submit'
complete -c srun -s u -l unbuffered -d 'do not line-buffer stdout/err'
complete -c srun -l use-min-nodes -d 'if a range of node counts is given, prefer the smaller count (no effect here)'
complete -c srun -s v -l verbose -d 'verbose mode (multiple -v\'s increase verbosity)'
complete -c srun -s V -l version -d 'output version information and exit'
complete -c srun -l usage -d 'display brief usage message'
complete -c srun -l whole -d 'use all of a node\'s resources that the job has'
