# A task that speaks PMI-2 by itself, and says what it heard.
hear() {
    read -r -N 6 -u "$PMI_FD" length
    read -r -N $((length)) -u "$PMI_FD" said
    echo "$PMI_RANK $said"
}
say() {
    printf '%-6d%s' ${#1} "$1" >&"$PMI_FD"
    [ -n "$2" ] || hear
}
printf 'cmd=init pmi_version=2 pmi_subversion=0\n' >&"$PMI_FD"
read -r -u "$PMI_FD" said
echo "$PMI_RANK $said"
say "cmd=fullinit;pmijobid=$PMI_JOBID;pmirank=$PMI_RANK;threaded=FALSE;"
say "cmd=job-getid;"
say "cmd=info-getjobattr;key=PMI_process_mapping;"
say "cmd=info-getjobattr;key=universeSize;"
# The second of each node waits for what the first says only when it was asked to wait.
[ "$SLURM_LOCALID" = 0 ] || say "cmd=info-getnodeattr;key=shm;wait=TRUE;"
[ "$SLURM_LOCALID" = 1 ] || say "cmd=info-putnodeattr;key=shm;value=$SLURMD_NODENAME;"
say "cmd=kvs-put;key=k$PMI_RANK;value=v;;$PMI_RANK;"
say "cmd=kvs-fence;"
say "cmd=kvs-get;jobid=$PMI_JOBID;srcid=-1;key=k$(((PMI_RANK + 1) % PMI_SIZE));"
say "cmd=kvs-get;jobid=$PMI_JOBID;srcid=-1;key=nothing;"
[ "$1" = abort ] && {
    [ "$PMI_RANK" = 3 ] && say "cmd=abort;isworld=TRUE;msg=enough;" quietly
    sleep 100
}
say "cmd=finalize;"
