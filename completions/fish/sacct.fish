complete -c sacct -s A -l accounts -d 'use this comma separated list of accounts to select jobs to display' -r
complete -c sacct -s x -l associations -d 'only send data about these associations' -r
complete -c sacct -s C -l constraints -d 'select jobs by their constraints' -r
complete -c sacct -s M -l clusters -l cluster -d 'only send data about these clusters' -r
complete -c sacct -l delimiter -d 'characters used to separate the fields with -p or -P; default is \'|\'' -r
complete -c sacct -s E -l endtime -d 'select jobs eligible before this time' -r
complete -c sacct -s F -l flags -d 'select jobs by how they were scheduled' -r
complete -c sacct -s o -l format -l fields -d 'comma separated list of fields ("--helpformat" lists them)' -r
complete -c sacct -s g -l gid -l group -d 'use this comma separated list of groups to select jobs to display' -r
complete -c sacct -s j -l jobs -d 'display information about these jobs or job steps' -r
complete -c sacct -l json -d 'produce JSON output' -r
complete -c sacct -l name -d 'display jobs that have any of these names' -r
complete -c sacct -s i -l nnodes -d 'return jobs which ran on this many nodes (N = min[-max])' -r
complete -c sacct -s I -l ncpus -d 'return jobs which ran on this many cpus (N = min[-max])' -r
complete -c sacct -s N -l nodelist -d 'display jobs that ran on any of these nodes' -r
complete -c sacct -s r -l partition -d 'comma separated list of partitions to select jobs from' -r
complete -c sacct -s q -l qos -d 'only send data about jobs using these qos' -r
complete -c sacct -s R -l reason -d 'select jobs by the reason they had to wait' -r
complete -c sacct -s s -l state -d 'select jobs by their state now or in the time that is asked for' -r
complete -c sacct -s S -l starttime -d 'select jobs eligible after this time; default is 00:00:00 of the current day' -r
complete -c sacct -s k -l timelimit-min -d 'only send data about jobs with this timelimit' -r
complete -c sacct -s K -l timelimit-max -d 'upper end of the range that --timelimit-min begins' -r
complete -c sacct -l units -d 'display values in specified unit type' -r
complete -c sacct -s u -l user -l uid -d 'use this comma separated list of users to select jobs to display' -r
complete -c sacct -s W -l wckeys -d 'only send data about these wckeys (no effect here)' -r
complete -c sacct -l whole-hetjob -d 'retrieve all components of a heterogeneous job' -r -f -a "yes\t''
no\t''"
complete -c sacct -l yaml -d 'produce YAML output' -r
complete -c sacct -s a -l allusers -d 'display jobs for all users'
complete -c sacct -s X -l allocations -d 'only show statistics relevant to the job allocation itself'
complete -c sacct -s L -l allclusters -d 'display jobs ran on all clusters (no effect here)'
complete -c sacct -l array -d 'show the pending elements of a job array one by one'
complete -c sacct -s b -l brief -d 'equivalent to \'--format=jobid,state,exitcode\''
complete -c sacct -s B -l batch-script -d 'print batch script of job'
complete -c sacct -s D -l duplicates -d 'display all of a job\'s records when it was requeued, not only the last'
complete -c sacct -l env-vars -d 'print the environment the batch script was launched with'
complete -c sacct -l expand-patterns -d 'expand file name patterns in StdErr, StdIn and StdOut'
complete -c sacct -l federation -d 'report jobs from federation if a member of one (no effect here)'
complete -c sacct -s e -l helpformat -d 'print a list of fields that can be specified with --format'
complete -c sacct -s h -l help -d 'print this description of use'
complete -c sacct -l local -d 'report information only about jobs on the local cluster (no effect here)'
complete -c sacct -s l -l long -d 'equivalent to specifying --format with most of the fields'
complete -c sacct -l noconvert -d 'don\'t convert units from their original type (e.g. 2048M won\'t be converted to 2G)'
complete -c sacct -s n -l noheader -d 'no header will be added to the beginning of output'
complete -c sacct -s p -l parsable -d 'output will be \'|\' delimited with a \'|\' at the end'
complete -c sacct -s P -l parsable2 -d 'output will be \'|\' delimited without a \'|\' at the end'
complete -c sacct -s T -l truncate -d 'truncate times to --starttime and --endtime'
complete -c sacct -l use-local-uid -d 'look up user names on this machine (no effect here)'
complete -c sacct -l usage -d 'display brief usage message'
complete -c sacct -s v -l verbose -d 'report the state of variables during processing'
complete -c sacct -s V -l version -d 'print version'
