complete -c seff -s h -l help -d 'print this description of use'
complete -c seff -s d -l debug -d 'show the raw values that are counted with'
complete -c seff -s v -l version -d 'print version'
