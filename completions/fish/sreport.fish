complete -c sreport -s M -l cluster -d 'clusters to generate reports for' -r
complete -c sreport -s t -l time -d 'second, minute, hour, percent, secper, minper or hourper' -r
complete -c sreport -s T -l tres -d 'resources to report on; without it CPUs' -r
complete -c sreport -s a -l all_clusters -d 'use all clusters instead of current (no effect here)'
complete -c sreport -l federation -d 'generate reports for the federation if a member of one (no effect here)'
complete -c sreport -s h -l help -d 'equivalent to "help" command'
complete -c sreport -l local -d 'report local cluster, even when in federation of clusters (no effect here)'
complete -c sreport -s n -l noheader -d 'don\'t print a header'
complete -c sreport -s p -l parsable -d 'output will be \'|\' delimited with a \'|\' at the end'
complete -c sreport -s P -l parsable2 -d 'output will be \'|\' delimited without a \'|\' at the end'
complete -c sreport -s Q -l quiet -d 'equivalent to "quiet" command (no effect here)'
complete -c sreport -l usage -d 'equivalent to "help" command'
complete -c sreport -s v -l verbose -d 'equivalent to "verbose" command (no effect here)'
complete -c sreport -s V -l version -d 'equivalent to "version" command'
