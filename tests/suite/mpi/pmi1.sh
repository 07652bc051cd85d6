# A task that speaks PMI-1 by itself, and says what it heard.
say() {
    printf '%b\n' "$1" >&"$PMI_FD"
    read -r -u "$PMI_FD" said
    echo "$PMI_RANK $said"
}
next=$(((PMI_RANK + 1) % PMI_SIZE))
say "cmd=init pmi_version=1 pmi_subversion=1"
say "cmd=get_maxes"
say "cmd=get_appnum"
say "cmd=get_universe_size"
say "cmd=get_my_kvsname"
say "cmd=get kvsname=$PMI_JOBID key=PMI_process_mapping"
say "cmd=put kvsname=$PMI_JOBID key=k$PMI_RANK value=v=$PMI_RANK"
say "cmd=get kvsname=$PMI_JOBID key=k$next"
say "cmd=barrier_in"
say "cmd=get kvsname=$PMI_JOBID key=k$next"
[ "$PMI_RANK" = 0 ] && say "cmd=publish_name service=ocean port=tag#1"
say "cmd=barrier_in"
say "cmd=lookup_name service=ocean"
say "cmd=barrier_in"
[ "$PMI_RANK" = 1 ] && say "cmd=unpublish_name service=ocean"
say "cmd=barrier_in"
say "cmd=lookup_name service=ocean"
[ "$PMI_RANK" = 1 ] && say "mcmd=spawn\nnprocs=1\nexecname=/bin/true\ntotspawns=1\nspawnssofar=1\nendcmd"
say "cmd=finalize"
