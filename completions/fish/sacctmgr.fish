complete -c sacctmgr -l json -d 'produce JSON output' -r
complete -c sacctmgr -l yaml -d 'produce YAML output' -r
complete -c sacctmgr -s h -l help -d 'equivalent to "help" command'
complete -c sacctmgr -l usage -d 'equivalent to "help" command'
complete -c sacctmgr -s i -l immediate -d 'commit changes immediately (no effect here)'
complete -c sacctmgr -s n -l noheader -d 'no header will be added to the beginning of output'
complete -c sacctmgr -s o -l oneliner -d 'equivalent to "oneliner" command (no effect here)'
complete -c sacctmgr -s p -l parsable -d 'output will be \'|\' delimited with a \'|\' at the end'
complete -c sacctmgr -s P -l parsable2 -d 'output will be \'|\' delimited without a \'|\' at the end'
complete -c sacctmgr -s Q -l quiet -d 'equivalent to "quiet" command'
complete -c sacctmgr -s r -l readonly -d 'equivalent to "readonly" command (no effect here)'
complete -c sacctmgr -s s -l associations -d 'equivalent to "associations" command'
complete -c sacctmgr -s v -l verbose -d 'equivalent to "verbose" command (no effect here)'
complete -c sacctmgr -s V -l version -d 'equivalent to "version" command'
