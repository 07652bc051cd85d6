complete -c squeue -s A -l accounts -d 'comma separated list of accounts to view, default is all accounts' -r
complete -c squeue -s M -l clusters -l cluster -d 'cluster to issue commands to' -r
complete -c squeue -s O -l Format -d 'format specification by field names' -r
complete -c squeue -s o -l format -d 'format specification' -r
complete -c squeue -s i -l iterate -d 'specify an iteration period' -r
complete -c squeue -s j -l jobs -d 'comma separated list of job IDs to view, default is all' -r
complete -c squeue -l json -d 'produce JSON output' -r
complete -c squeue -s L -l licenses -d 'comma separated list of license names to view' -r
complete -c squeue -s n -l name -d 'comma separated list of job names to view' -r
complete -c squeue -s w -l nodelist -l node -l nodes -d 'list of nodes to view, default is all nodes' -r
complete -c squeue -s p -l partitions -d 'comma separated list of partitions to view, default is all partitions' -r
complete -c squeue -s q -l qos -d 'comma separated list of qos\'s to view, default is all qos\'s' -r
complete -c squeue -s R -l reservation -d 'reservation to view, default is all' -r
complete -c squeue -s S -l sort -d 'comma separated list of fields to sort on' -r
complete -c squeue -s s -l steps -d 'comma separated list of job steps to view, default is all' -r
complete -c squeue -s t -l states -d 'comma separated list of states to view, default is pending and running, \'--states=all\' reports all states' -r
complete -c squeue -s u -l users -l user -d 'comma separated list of users to view' -r
complete -c squeue -l yaml -d 'produce YAML output' -r
complete -c squeue -s a -l all -d 'display jobs in hidden partitions (no effect here)'
complete -c squeue -s r -l array -d 'display one job array element per line'
complete -c squeue -l array-unique -d 'display one unique pending job array element per line'
complete -c squeue -l expand-patterns -d 'expand file name patterns in StdErr, StdIn and StdOut'
complete -c squeue -l federation -d 'report federated information if a member of one (no effect here)'
complete -c squeue -l help -d 'show this help message'
complete -c squeue -l hide -d 'do not display jobs in hidden partitions (no effect here)'
complete -c squeue -l local -d 'report information only about jobs on the local cluster (no effect here)'
complete -c squeue -s l -l long -d 'long report'
complete -c squeue -l me -d 'equivalent to --user=<my username>'
complete -c squeue -l noconvert -d 'don\'t convert units from their original type (e.g. 2048M won\'t be converted to 2G)'
complete -c squeue -s h -l noheader -d 'no headers on output'
complete -c squeue -l notme -d 'equivalent to --user for all but me'
complete -c squeue -l only-job-state -d 'only query the state of jobs'
complete -c squeue -s P -l priority -d 'one line for each partition a job is submitted to, by priority'
complete -c squeue -l sib -l sibling -d 'report information about all sibling jobs on a federated cluster (no effect here)'
complete -c squeue -l start -d 'print expected start times of pending jobs'
complete -c squeue -l usage -d 'display a brief summary of squeue options'
complete -c squeue -s v -l verbose -d 'verbosity level'
complete -c squeue -s V -l version -d 'output version information and exit'
