complete -c scontrol -s M -l clusters -l cluster -d 'equivalent to "cluster" command' -r
complete -c scontrol -l json -d 'produce JSON output' -r
complete -c scontrol -l yaml -d 'produce YAML output' -r
complete -c scontrol -s a -l all -d 'equivalent to "all" command (no effect here)'
complete -c scontrol -s d -l details -d 'equivalent to "details" command'
complete -c scontrol -l federation -d 'report federated job information if a member of one (no effect here)'
complete -c scontrol -s F -l future -d 'report information about nodes in "FUTURE" state (no effect here)'
complete -c scontrol -s h -l help -d 'equivalent to "help" command'
complete -c scontrol -l hide -d 'equivalent to "hide" command (no effect here)'
complete -c scontrol -l local -d 'report information only about jobs on the local cluster (no effect here)'
complete -c scontrol -s o -l oneliner -d 'equivalent to "oneliner" command'
complete -c scontrol -s Q -l quiet -d 'equivalent to "quiet" command'
complete -c scontrol -l sibling -d 'report information about all sibling jobs on a federated cluster (no effect here)'
complete -c scontrol -l usage -d 'equivalent to "help" command'
complete -c scontrol -s v -l verbose -d 'equivalent to "verbose" command (no effect here)'
complete -c scontrol -s V -l version -d 'equivalent to "version" command'
