complete -c sattach -l input-filter -d 'send stdin to only the specified task' -r
complete -c sattach -l output-filter -d 'only print stdout from the specified task' -r
complete -c sattach -l error-filter -d 'only print stderr from the specified task' -r
complete -c sattach -s l -l label -d 'prepend task number to lines of stdout & stderr'
complete -c sattach -l layout -d 'print task layout info and exit (does not attach to tasks)'
complete -c sattach -l pty -d 'make stdin pass everything through, for a step with a terminal'
complete -c sattach -s Q -l quiet -d 'quiet mode (suppress informational messages)'
complete -c sattach -s v -l verbose -d 'verbose mode (multiple -v\'s increase verbosity)'
complete -c sattach -s V -l version -d 'print the Slurm version and exit'
complete -c sattach -s h -l help -d 'print this help message'
complete -c sattach -s u -l usage -d 'print a brief usage message'
