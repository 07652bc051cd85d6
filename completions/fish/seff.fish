complete -c seff -s h -l help -d 'print this description of use'
complete -c seff -s v -l version -d 'print version'
