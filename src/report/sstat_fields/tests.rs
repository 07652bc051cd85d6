use super::*;
use crate::{job::StepId, report::sacct_table::Layout};
use proptest::prelude::*;

fn task(task: u32, rss: u64, cpu_ms: u64) -> TaskUsage {
    TaskUsage {
        task,
        rss,
        vsize: 7_454_720,
        pages: 0,
        cpu_ms,
        read: 105_473,
        written: 1_049_088,
        khz: 2_300_000,
        pids: vec![21_147 - task as i32, 16_232 - task as i32],
    }
}

/// Step 6163.0 of the recorded sstat: three tasks on two nodes.
fn recorded() -> StepUsage {
    let node = |node: &str, tasks: &[TaskUsage]| NodeUsage { node: node.into(), tasks: tasks.to_vec() };
    let one = node("node1", &[task(0, 4_550_656, 400), task(1, 5_058_560, 900)]);
    StepUsage { id: StepId::Number(0), nodes: vec![one, node("node2", &[task(2, 5_058_560, 950)])] }
}

fn shown(step: &StepUsage, node: Option<&NodeUsage>, format: &str, layout: &Layout, units: Units) -> String {
    let columns = sacct_table::columns::<Running>(format).unwrap();
    let mut out = String::new();
    sacct_table::header(&columns, layout, &mut out);
    sacct_table::row(&columns, layout, &Row { job: 6163, step, node, units }, &mut out);
    out
}

fn value(step: &StepUsage, field: &str) -> String {
    let text = shown(step, None, field, &Layout::Parsable2("|".into()), Units::Best);
    text.lines().nth(1).unwrap().to_owned()
}

/// As far as that was recorded.
#[test]
fn the_default_table_is_the_recorded_one() {
    let expected = [
        "JobID         MaxVMSize  MaxVMSizeNode  MaxVMSizeTask  AveVMSize     MaxRSS MaxRSSNode MaxRSSTask     AveRSS MaxPages MaxPagesNode   MaxPagesTask   AvePages     MinCPU MinCPUNode MinCPUTask     AveCPU   NTasks AveCPUFreq ReqCPUFreqMin ReqCPUFreqMax ReqCPUFreqGov ConsumedEnergy  MaxDiskRead MaxDiskReadNode MaxDiskReadTask  AveDiskRead MaxDiskWrite MaxDiskWriteNode MaxDiskWriteTask AveDiskWrite TRESUsageInAve TRESUsage",
        "------------ ---------- -------------- -------------- ---------- ---------- ---------- ---------- ---------- -------- ------------ -------------- ---------- ---------- ---------- ---------- ---------- -------- ---------- ------------- ------------- ------------- -------------- ------------ --------------- --------------- ------------ ------------ ---------------- ---------------- ------------ -------------- ---------",
        "6163.0            7280K          node1              0      7280K      4940K      node1          1    4889258        0        node1              0          0   00:00:00      node1          0   00:00:00        3      2.30M       Unknown       Unknown       Unknown              0       105473           node1               0       105473        1.00M            node1                0        1.00M cpu=00:00:00,+ cpu=00:00",
    ];
    let text = shown(&recorded(), None, DEFAULT, &Layout::Columns, Units::Best);
    let cut: Vec<&str> = text.lines().map(|line| &line[..420]).collect();
    assert_eq!(cut, expected);
    assert_eq!(text.lines().next().unwrap().split_whitespace().count(), 47);
}

#[test]
fn units_stay_as_they_are_if_they_shall() {
    let text = shown(&recorded(), None, "jobid,maxrss%20,avecpufreq", &Layout::Parsable("|".into()), Units::AsIs);
    assert!(text.ends_with("\n6163.0|5058560|2300000|\n"), "{text}");
}

/// The batch script's, as recorded.
#[test]
fn tres_are_as_recorded() {
    let script = TaskUsage { rss: 11_177_984, vsize: 292_904_960, read: 32_264, written: 1623, ..TaskUsage::default() };
    let nodes = vec![NodeUsage { node: "node1".into(), tasks: vec![script] }];
    let batch = StepUsage { id: StepId::Batch, nodes };
    for (field, expected) in [
        ("JobID", "6163.batch"),
        ("NTasks", "1"),
        ("MaxRSS", "10916K"),
        ("TRESUsageInMax", "cpu=00:00:00,energy=0,fs/disk=32264,mem=10916K,pages=0,vmem=286040K"),
        ("TRESUsageInAve", "cpu=00:00:00,energy=0,fs/disk=32264,mem=10916K,pages=0,vmem=286040K"),
        ("TRESUsageInMaxNode", "cpu=node1,energy=node1,fs/disk=node1,mem=node1,pages=node1,vmem=node1"),
        ("TRESUsageInMaxTask", "cpu=00:00:00,fs/disk=0,mem=0,pages=0,vmem=0"),
        ("TRESUsageOutMax", "energy=0,fs/disk=1623"),
    ] {
        assert_eq!(value(&batch, field), expected, "{field}");
    }
}

#[test]
fn what_is_said_of_a_resource_is_said_of_the_right_task() {
    let mut step = recorded();
    step.nodes[1].tasks[0].rss = 6 << 30;
    step.nodes[1].tasks[0].cpu_ms = 93_784_500;
    step.nodes[0].tasks[1].cpu_ms = 50;
    for (field, expected) in [
        ("maxrss", "6G"),
        ("maxrssnode", "node2"),
        ("maxrsstask", "2"),
        ("mincpu", "00:00:00"),
        ("mincputask", "1"),
        ("avecpu", "08:41:01"),
        ("tresusageinmaxn", "cpu=node2,energy=node1,fs/disk=node1,mem=node2,pages=node1,vmem=node1"),
        ("tresusageinmaxt", "cpu=00:00:00,fs/disk=0,mem=2,pages=0,vmem=0"),
        ("tresusageinmint", "cpu=00:00:00,fs/disk=0,mem=0,pages=0,vmem=0"),
        ("tresusageouttot", "energy=0,fs/disk=3073.50K"),
        ("nodelist", "node[1-2]"),
    ] {
        assert_eq!(value(&step, field), expected, "{field}");
    }
}

#[test]
fn processes_are_listed_node_by_node() {
    let step = recorded();
    let text = shown(&step, step.nodes.first(), PIDS, &Layout::Columns, Units::Best);
    let expected = "\
JobID                    Nodelist                 Pids 
------------ -------------------- -------------------- 
6163.0                      node1 21147,21146,16232,1+ 
";
    assert_eq!(text, expected);
}

#[test]
fn a_step_without_tasks_has_no_values() {
    let step = StepUsage { id: StepId::Number(1), nodes: vec![NodeUsage::default()] };
    let text = shown(
        &step,
        None,
        "jobid,ntasks,maxrss,maxrssnode,averss,tresusageintot",
        &Layout::Parsable2("|".into()),
        Units::Best,
    );
    assert!(text.ends_with("\n6163.1|0||||\n"), "{text}");
}

#[test]
fn the_list_of_fields_is_the_recorded_one() {
    let text = sacct_table::help_format::<Running>(19);
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(trimmed.join("\n"), @r"
    AveCPU              AveCPUFreq          AveDiskRead         AveDiskWrite
    AvePages            AveRSS              AveVMSize           ConsumedEnergy
    ConsumedEnergyRaw   JobID               MaxDiskRead         MaxDiskReadNode
    MaxDiskReadTask     MaxDiskWrite        MaxDiskWriteNode    MaxDiskWriteTask
    MaxPages            MaxPagesNode        MaxPagesTask        MaxRSS
    MaxRSSNode          MaxRSSTask          MaxVMSize           MaxVMSizeNode
    MaxVMSizeTask       MinCPU              MinCPUNode          MinCPUTask
    Nodelist            NTasks              Pids                ReqCPUFreq
    ReqCPUFreqMin       ReqCPUFreqMax       ReqCPUFreqGov       TRESUsageInAve
    TRESUsageInMax      TRESUsageInMaxNode  TRESUsageInMaxTask  TRESUsageInMin
    TRESUsageInMinNode  TRESUsageInMinTask  TRESUsageInTot      TRESUsageOutAve
    TRESUsageOutMax     TRESUsageOutMaxNode TRESUsageOutMaxTask TRESUsageOutMin
    TRESUsageOutMinNode TRESUsageOutMinTask TRESUsageOutTot
    ");
}

proptest! {
    #[test]
    fn any_usage_can_be_shown(a: u64, b: u64, c: u32, format in "(jobid|maxrss|tres|ave|min|%|-|[0-9]|,){0,12}", exact: bool) {
        let usage = |n| TaskUsage { task: c, rss: n, vsize: n, pages: n, cpu_ms: n, read: n, written: n, khz: n, pids: vec![] };
        let nodes = vec![NodeUsage { node: "n".into(), tasks: vec![usage(a), usage(b)] }];
        let step = StepUsage { id: StepId::Batch, nodes };
        let units = if exact { Units::AsIs } else { Units::Best };
        shown(&step, None, DEFAULT, &Layout::Columns, units);
        if sacct_table::columns::<Running>(&format).is_ok() {
            shown(&step, None, &format, &Layout::Columns, units);
        }
    }
}
