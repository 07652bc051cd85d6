complete -c sbcast -s C -l compress -d 'compress the file being transmitted (no effect here)' -r
complete -c sbcast -l exclude -d 'shared object paths to be excluded' -r
complete -c sbcast -s F -l fanout -d 'specify message fanout (no effect here)' -r
complete -c sbcast -s j -l jobid -d 'specify job ID with optional hetjob offset and/or step ID' -r
complete -c sbcast -l send-libs -d 'autodetect and broadcast executable\'s shared objects' -r -f -a "yes\t''
no\t''"
complete -c sbcast -s s -l size -d 'block size in bytes (rounded off) (no effect here)' -r
complete -c sbcast -s t -l timeout -d 'specify message timeout (seconds) (no effect here)' -r
complete -c sbcast -s f -l force -d 'replace destination file as required'
complete -c sbcast -s p -l preserve -d 'preserve modes and times of source file'
complete -c sbcast -s v -l verbose -d 'provide detailed event logging'
complete -c sbcast -s V -l version -d 'print version information and exit'
complete -c sbcast -l help -d 'show this help message'
complete -c sbcast -l usage -d 'display brief usage message'
