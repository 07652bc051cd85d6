complete -c sstat -s j -l jobs -d 'display the usage of these jobs\' lowest numbered running steps, or of these job steps' -r
complete -c sstat -s o -l format -l fields -d 'comma separated list of fields ("--helpformat" lists them)' -r
complete -c sstat -s a -l allsteps -d 'print all steps for the given jobs when no step is specified'
complete -c sstat -s e -l helpformat -d 'print a list of fields that can be specified with --format'
complete -c sstat -s h -l help -d 'print this description of use'
complete -c sstat -s n -l noheader -d 'no header will be added to the beginning of output'
complete -c sstat -l noconvert -d 'don\'t convert units from their original type (e.g. 2048M won\'t be converted to 2G)'
complete -c sstat -s i -l pidformat -d 'list the pids running for each job step (JobId,Nodes,Pids)'
complete -c sstat -s p -l parsable -d 'output will be \'|\' delimited with a \'|\' at the end'
complete -c sstat -s P -l parsable2 -d 'output will be \'|\' delimited without a \'|\' at the end'
complete -c sstat -l usage -d 'display brief usage message'
complete -c sstat -s v -l verbose -d 'report the state of variables during processing (no effect here)'
complete -c sstat -s V -l version -d 'print version'
