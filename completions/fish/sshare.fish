complete -c sshare -s A -l accounts -d 'display specific accounts (comma separated list)' -r
complete -c sshare -l json -d 'produce JSON output' -r
complete -c sshare -s M -l clusters -l cluster -d 'cluster to issue commands to' -r
complete -c sshare -s o -l format -d 'comma separated list of fields ("--helpformat" lists them)' -r
complete -c sshare -s u -l users -d 'display specific users (comma separated list)' -r
complete -c sshare -l yaml -d 'produce YAML output' -r
complete -c sshare -s a -l all -d 'list all users (no effect here)'
complete -c sshare -s e -l helpformat -d 'print a list of fields that can be specified with --format'
complete -c sshare -s l -l long -d 'include normalized usage in output'
complete -c sshare -s m -l partition -d 'print the partition part of the association'
complete -c sshare -s n -l noheader -d 'omit header from output'
complete -c sshare -s p -l parsable -d '\'|\' delimited output with a trailing \'|\''
complete -c sshare -s P -l parsable2 -d '\'|\' delimited output without a trailing \'|\''
complete -c sshare -s U -l Users -d 'display only user information'
complete -c sshare -s v -l verbose -d 'display more information'
complete -c sshare -s V -l version -d 'display tool version number'
complete -c sshare -s h -l help -d 'display this usage information'
complete -c sshare -l usage -d 'display this usage information'
