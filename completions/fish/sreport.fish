complete -c sreport -s h -l help -d 'equivalent to "help" command'
complete -c sreport -l usage -d 'equivalent to "help" command'
complete -c sreport -s V -l version -d 'equivalent to "version" command'
