complete -c salloc -s h -l help -d 'show this help message'
complete -c salloc -s V -l version -d 'output version information and exit'
complete -c salloc -l usage -d 'display brief usage message'
