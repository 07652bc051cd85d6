complete -c salloc -s A -l account -d 'charge job to specified account' -r
complete -c salloc -l acctg-freq -d 'accounting and profiling sampling intervals (no effect here)' -r
complete -c salloc -s b -l begin -d 'defer job until HH:MM MM/DD/YY' -r
complete -c salloc -s D -l chdir -d 'set working directory for batch script or tasks (on SkyPilot: the nodes have a copy of the directory, unless they see it (shared, in the configuration))' -r -F
complete -c salloc -s M -l clusters -l cluster -d 'clusters to issue commands to' -r
complete -c salloc -l comment -d 'arbitrary comment' -r
complete -c salloc -l context -d 'SELinux context to run in (no effect here)' -r
complete -c salloc -s C -l constraint -d 'specify a list of constraints (on SkyPilot: only the name of a GPU type can be met; other features are refused)' -r
complete -c salloc -s S -l core-spec -d 'count of reserved cores (no effect here)' -r
complete -c salloc -l cores-per-socket -d 'number of cores per socket to allocate (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c salloc -l cpus-per-gpu -d 'number of CPUs required per allocated GPU' -r
complete -c salloc -s c -l cpus-per-task -d 'number of cpus required per task' -r
complete -c salloc -l deadline -d 'remove the job if no ending possible before this deadline (start > (deadline - time[-min]))' -r
complete -c salloc -l delay-boot -d 'delay boot for desired node features (no effect here)' -r
complete -c salloc -s d -l dependency -d 'defer job until condition on jobid is satisfied' -r
complete -c salloc -s m -l distribution -d 'distribution method for processes to nodes (type = block|cyclic|arbitrary)' -r
complete -c salloc -s x -l exclude -d 'exclude a specific list of hosts (on SkyPilot: refused)' -r
complete -c salloc -l exclusive -d 'allocate nodes in exclusive mode when cpu consumable resource is enabled (on SkyPilot: nodes are made for the job; on Kubernetes other pods may be on the same machine)' -r
complete -c salloc -l extra -d 'arbitrary string enclosed in single or double quotes' -r
complete -c salloc -s B -l extra-node-info -d 'combine request of sockets per node, cores per socket and threads per core (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c salloc -l get-user-env -d 'load environment from local cluster' -r
complete -c salloc -l gpu-bind -d 'task to gpu binding options' -r
complete -c salloc -s G -l gpus -d 'count of GPUs required for the job (on SkyPilot: nodes are all alike: what cannot be shared out evenly is rounded up on each node)' -r
complete -c salloc -l gpus-per-node -d 'number of GPUs required per allocated node' -r
complete -c salloc -l gpus-per-task -d 'number of GPUs required per spawned task' -r
complete -c salloc -l gres -d 'required generic resources (on SkyPilot: GPUs only; other generic resources are refused)' -r
complete -c salloc -l gres-flags -d 'flags related to GRES management (no effect here)' -r -f -a "disable-binding\t''
enforce-binding\t''
one-task-per-sharing\t''
multiple-tasks-per-sharing\t''
allow-task-sharing\t''"
complete -c salloc -l hint -d 'bind tasks according to application hints (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c salloc -s I -l immediate -d 'exit if resources not available in "secs"' -r
complete -c salloc -s J -l job-name -d 'name of job' -r
complete -c salloc -s K -l kill-command -d 'signal to send terminating job' -r
complete -c salloc -s L -l licenses -d 'required license, comma separated' -r
complete -c salloc -l mail-type -d 'notify on state change: BEGIN, END, FAIL or ALL' -r
complete -c salloc -l mail-user -d 'who to send email notification for job state changes' -r
complete -c salloc -l mcs-label -d 'mcs label if mcs plugin mcs/group is used (no effect here)' -r
complete -c salloc -l mem -d 'minimum amount of real memory' -r
complete -c salloc -l mem-bind -d 'bind memory to locality domains (ldom) (no effect here)' -r
complete -c salloc -l mem-per-cpu -d 'maximum amount of real memory per allocated cpu required by the job' -r
complete -c salloc -l mem-per-gpu -d 'real memory required per allocated GPU' -r
complete -c salloc -l mincpus -d 'minimum number of logical processors (threads) per node' -r
complete -c salloc -l network -d 'network options, such as switch use (on this machine: no effect here; on SkyPilot: how the nodes are connected is the infra\'s choice)' -r
complete -c salloc -l nice -d 'decrease scheduling priority by value (on SkyPilot: it is taken from SkyPilot\'s priority, which ends at -1000)' -r
complete -c salloc -s k -l no-kill -d 'do not kill job on node failure (on this machine: no effect here; on SkyPilot: when a node fails the allocation ends)' -r -f -a "off\t''
no\t''
set\t''"
complete -c salloc -s F -l nodefile -d 'request a specific list of hosts (on SkyPilot: refused)' -r -F
complete -c salloc -s w -l nodelist -d 'request a specific list of hosts (on SkyPilot: refused)' -r
complete -c salloc -s N -l nodes -d 'number of nodes on which to run (N = min[-max]) (on SkyPilot: of a range it is the least that holds the tasks and GPUs)' -r
complete -c salloc -s n -l ntasks -d 'number of tasks to run' -r
complete -c salloc -l ntasks-per-core -d 'number of tasks to invoke on each core (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c salloc -l ntasks-per-gpu -d 'number of tasks to invoke for each GPU' -r
complete -c salloc -l ntasks-per-node -l tasks-per-node -d 'number of tasks to invoke on each node' -r
complete -c salloc -l ntasks-per-socket -d 'number of tasks to invoke on each socket (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c salloc -s p -l partition -d 'partition requested' -r
complete -c salloc -l power -d 'power management options (no effect here)' -r
complete -c salloc -l priority -d 'set the priority of the job to value (on SkyPilot: it orders the jobs that wait here; SkyPilot\'s own priority is that of the QOS)' -r
complete -c salloc -l profile -d 'enable acct_gather_profile for detailed data (no effect here)' -r
complete -c salloc -s q -l qos -d 'quality of service (on SkyPilot: its priority and class are what the configuration says)' -r
complete -c salloc -l reservation -d 'allocate resources from named reservation (on SkyPilot: refused)' -r
complete -c salloc -l segment -d 'segment size of a block topology (no effect here)' -r
complete -c salloc -l signal -d 'send signal when time limit within time seconds' -r
complete -c salloc -l sockets-per-node -d 'number of sockets per node to allocate (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c salloc -l switches -d 'optimum switches and max time to wait for optimum (on this machine: no effect here; on SkyPilot: how the nodes are connected is the infra\'s choice)' -r
complete -c salloc -l thread-spec -d 'count of reserved threads (no effect here)' -r
complete -c salloc -l threads-per-core -d 'number of threads per core to allocate (sockets, cores and threads are not told apart: a CPU is a CPU)' -r
complete -c salloc -s t -l time -d 'time limit' -r
complete -c salloc -l time-min -d 'minimum time limit (if distinct) (on SkyPilot: no effect here)' -r
complete -c salloc -l tmp -d 'minimum amount of temporary disk (on this machine: temporary disk is not counted: none is set aside for the job)' -r
complete -c salloc -l tres-bind -d 'task to tres binding options (every task sees all GPUs that the step has on its node)' -r
complete -c salloc -l tres-per-task -d 'list of tres required per task' -r
complete -c salloc -l wait-all-nodes -d 'wait for all nodes to be ready before starting (on SkyPilot: no effect here)' -r
complete -c salloc -l wckey -d 'wckey to run job under (workload keys are not recorded)' -r
complete -c salloc -l x11 -d 'enable X11 forwarding (on this machine: no effect here; on SkyPilot: refused)' -r
complete -c salloc -l bell -d 'ring the terminal bell when the job is allocated'
complete -c salloc -l contiguous -d 'demand a contiguous range of nodes (no effect here)'
complete -c salloc -s h -l help -d 'show this help message'
complete -c salloc -s H -l hold -d 'submit job in held state'
complete -c salloc -l no-bell -d 'do not ring the terminal bell'
complete -c salloc -l no-shell -d 'allocate resources and exit'
complete -c salloc -s O -l overcommit -d 'overcommit resources'
complete -c salloc -s s -l oversubscribe -d 'over subscribe resources with other jobs (on SkyPilot: no effect here)'
complete -c salloc -s Q -l quiet -d 'quiet mode (suppress informational messages)'
complete -c salloc -l spread-job -d 'spread job across as many nodes as possible (on SkyPilot: refused)'
complete -c salloc -l stepmgr -d 'let the job\'s first node manage its steps (no effect here)'
complete -c salloc -l use-min-nodes -d 'if a range of node counts is given, prefer the smaller count (on SkyPilot: no effect here)'
complete -c salloc -s v -l verbose -d 'verbose mode (multiple -v\'s increase verbosity)'
complete -c salloc -s V -l version -d 'output version information and exit'
complete -c salloc -l usage -d 'display brief usage message'
