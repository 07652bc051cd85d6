complete -c sdiag -s M -l clusters -l cluster -d 'direct the request to a specific cluster' -r
complete -c sdiag -l json -d 'produce JSON output' -r
complete -c sdiag -l yaml -d 'produce YAML output' -r
complete -c sdiag -s a -l all -d 'all statistics (no effect here)'
complete -c sdiag -s i -l sort-by-id -d 'sort RPCs by id (no effect here)'
complete -c sdiag -s t -l sort-by-time -d 'sort RPCs by total run time (no effect here)'
complete -c sdiag -s T -l sort-by-time2 -d 'sort RPCs by average run time (no effect here)'
complete -c sdiag -s V -l version -d 'display current version number'
complete -c sdiag -s h -l help -d 'show this help message'
complete -c sdiag -l usage -d 'display brief usage message'
