complete -c strigger -l flags -d 'trigger flags (perm) (no effect here)' -r
complete -c strigger -s i -l id -d 'a trigger\'s ID number (no effect here)' -r
complete -c strigger -s j -l jobid -d 'trigger related to specific jobid (no effect here)' -r
complete -c strigger -s M -l clusters -l cluster -d 'name of cluster to set/get trigger on (no effect here)' -r
complete -c strigger -s n -l node -d 'trigger related to specific node, all nodes by default (no effect here)' -r
complete -c strigger -s o -l offset -d 'trigger\'s offset time from event, negative to precede (no effect here)' -r
complete -c strigger -s p -l program -d 'pathname of program to execute when triggered (no effect here)' -r
complete -c strigger -l user -d 'user name or ID to filter by (no effect here)' -r
complete -c strigger -l clear -d 'clear or delete a trigger'
complete -c strigger -l get -d 'get trigger information'
complete -c strigger -l set -d 'create a trigger (slurm_set_trigger: Access/permission denied; use `[hooks]` of the configuration)'
complete -c strigger -l burst_buffer -d 'trigger event on burst buffer error (no effect here)'
complete -c strigger -s D -l drained -d 'trigger event when node added to DRAINED state (no effect here)'
complete -c strigger -s d -l down -d 'trigger event when node goes DOWN (no effect here)'
complete -c strigger -s F -l fail -d 'trigger event when node is expected to FAIL (no effect here)'
complete -c strigger -s f -l fini -d 'trigger event when job finishes (no effect here)'
complete -c strigger -l idle -d 'trigger event when node remains IDLE (no effect here)'
complete -c strigger -l noheader -d 'do not print header in output (no effect here)'
complete -c strigger -s Q -l quiet -d 'quiet mode (suppress informational messages) (no effect here)'
complete -c strigger -s r -l reconfig -d 'trigger event on configuration changes (no effect here)'
complete -c strigger -s t -l time -d 'trigger event on job\'s time limit (no effect here)'
complete -c strigger -s u -l up -d 'trigger event when node returned to service (no effect here)'
complete -c strigger -s v -l verbose -d 'print detailed event logging (no effect here)'
complete -c strigger -s V -l version -d 'display version number'
complete -c strigger -s h -l help -d 'show this help message'
complete -c strigger -l usage -d 'display brief usage message'
