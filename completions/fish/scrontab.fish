complete -c scrontab -s V -l version -d 'display version number'
complete -c scrontab -l help -d 'show this help message'
complete -c scrontab -l usage -d 'display brief usage message'
