complete -c sprio -s j -l jobs -d 'comma separated list of jobs to view, default is all (no effect here)' -r
complete -c sprio -s M -l clusters -l cluster -d 'cluster to issue commands to (no effect here)' -r
complete -c sprio -s o -l format -d 'format specification (no effect here)' -r
complete -c sprio -s p -l partition -d 'comma separated list of partitions (no effect here)' -r
complete -c sprio -s S -l sort -d 'comma separated list of fields to sort on (no effect here)' -r
complete -c sprio -s u -l user -d 'comma separated list of users to view (no effect here)' -r
complete -c sprio -l federation -d 'display jobs in federation if a member of one (no effect here)'
complete -c sprio -s h -l noheader -d 'no headers on output (no effect here)'
complete -c sprio -s l -l long -d 'long report (no effect here)'
complete -c sprio -l local -d 'display jobs on local cluster only (no effect here)'
complete -c sprio -s n -l norm -d 'display normalized values (no effect here)'
complete -c sprio -l sibling -d 'display job records separately for each federated cluster (no effect here)'
complete -c sprio -s v -l verbose -d 'verbosity level (no effect here)'
complete -c sprio -s V -l version -d 'output version information and exit'
complete -c sprio -s w -l weights -d 'show the weights for each priority factor (no effect here)'
complete -c sprio -l help -d 'show this help message'
complete -c sprio -l usage -d 'display a brief summary of sprio options'
