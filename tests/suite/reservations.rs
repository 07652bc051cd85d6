//! Nodes that are kept for some.

use crate::harness::{FOUR, Lab, user_name};

#[test]
fn reserved_nodes_are_for_those_who_ask_for_them() {
    let (lab, me) = (Lab::new(FOUR), user_name());
    assert_eq!(lab.sh("scontrol show reservation; sinfo -T").ok(), "No reservations in the system\n".repeat(2));
    let made = lab.sh(&format!(
        "scontrol create reservation reservationname=r starttime=now duration=60 users={me} nodes=node[1-3]"
    ));
    assert_eq!(made.ok(), "Reservation created: r\n");
    let table = lab.sh("sinfo -T | tail -n 1 | tr -s ' '");
    assert!(table.ok().starts_with("r ACTIVE ") && table.ok().ends_with(" 01:00:00 node[1-3]\n"), "{table:?}");
    let shown = lab.sh("scontrol -o show reservation r");
    for wanted in ["Nodes=node[1-3] NodeCnt=3 CoreCnt=6 ", "Flags=SPEC_NODES TRES=cpu=6 ", " State=ACTIVE "] {
        assert!(shown.ok().contains(wanted), "{wanted}: {shown:?}");
    }

    assert_eq!(lab.sh("sinfo -h -o '%t %N' | tr -s ' '").ok(), "resv node[1-3]\nidle node4\n");
    // Others have what is left; those who ask for it have what is in it.
    let ran_on = |options: &str| {
        let line = format!(
            "sbatch --wait -Q -t 5 -o out {options} --wrap 'echo $SLURM_JOB_NODELIST $SLURM_JOB_RESERVATION'; cat out"
        );
        lab.sh(&line).ok().trim().to_owned()
    };
    assert_eq!(ran_on(""), "node4");
    assert_eq!(ran_on("--reservation=r -N2"), "node[1-2] r");
    assert_eq!(lab.sh("salloc -Q --reservation=r bash -c 'echo $SLURM_JOB_RESERVATION'").ok(), "r\n");
    let waits = lab.submit("-N2 -t 5 -o waits --wrap 'echo $SLURM_JOB_NODELIST'");
    lab.until(
        &format!("squeue -h -j {waits} -o '%T %r %v'"),
        "PENDING ReqNodeNotAvail, May be reserved for other job (null)",
    );
    assert_eq!(lab.sh("squeue -h -R r").ok(), "");

    let unavailable = "Batch job submission failed: Requested node configuration is not available\n";
    for (options, words) in [
        (
            "--reservation=nope",
            "sbatch: error: Batch job submission failed: Requested reservation is invalid\n".to_owned(),
        ),
        ("--reservation=r -N4", format!("sbatch: error: {unavailable}")),
        ("--reservation=r -w node4", format!("sbatch: error: Problem using reservation\nsbatch: error: {unavailable}")),
    ] {
        assert_eq!(lab.sh(&format!("sbatch {options} --wrap true")).fails(1), words, "{options}");
    }

    // It outlives the controller, and is not taken from under a job.
    let held = lab.submit("-H --reservation=r --wrap true");
    lab.kill_controller();
    assert_eq!(
        lab.sh("squeue -h -R r -o '%i %v'; sacct -n -X -P -o reservation | sort -u").ok(),
        format!("{held} r\n\nr\n")
    );
    assert!(lab.sh(&format!("scontrol show job {held}")).ok().contains("Reservation=r\n"));
    let words = "delete_reservation reservationname=r: Requested reservation is in use\n";
    assert_eq!(lab.sh("scontrol delete reservationname=r").fails(1), words);
    lab.sh("scancel -R r").ok();
    lab.sh("scontrol delete reservationname=r").ok();
    lab.until_state(waits, "COMPLETED");
    assert_eq!(lab.read("waits"), "node[1-2]\n");
}

#[test]
fn a_reservation_begins_ends_and_is_changed() {
    let (lab, me) = (Lab::new(FOUR), user_name());
    lab.sh(&format!("scontrol create reservation res=later start=now+1hour dur=60 user={me} nodecnt=1")).ok();
    let early =
        lab.submit("--reservation=later -t 5 -o early --wrap 'echo ran; until [ -e end ]; do sleep 0.02; done'");
    assert_eq!(lab.sh(&format!("squeue -h -j {early} -o '%T %r'")).ok(), "PENDING Reservation\n");
    // What would run into it keeps off; what is over before does not.
    let long = lab.submit("-N4 -t 120 -o /dev/null --wrap true");
    lab.until(&format!("squeue -h -j {long} -o '%r'"), "ReqNodeNotAvail, May be reserved for other job");
    lab.sh("sbatch --wait -Q -N4 -t 5 -o /dev/null --wrap true").ok();
    lab.sh("scontrol update reservationname=later starttime=now").ok();
    lab.until_file("early", "ran");
    assert_eq!(
        lab.sh("scontrol update reservationname=later starttime=now+1hour").fails(1),
        "Error updating the reservation: Reservation already started\nslurm_update error: Reservation already started\n"
    );
    // At its end it ends what is left of its jobs, and goes with the last of them.
    lab.sh("scontrol update reservationname=later endtime=now+2seconds").ok();
    lab.until_accounted(early, "TIMEOUT|0:0");
    assert!(lab.read("early").contains("DUE TO TIME LIMIT ***"), "{}", lab.read("early"));
    lab.until("scontrol show reservation", "No reservations in the system");
    lab.until_state(long, "COMPLETED");
}

/// An hour later, by a clock of the test's own.
#[test]
fn a_reservation_comes_again() {
    let (lab, me) = (Lab::new(FOUR), user_name());
    lab.set_clock(0);
    let create = |words: &str| lab.sh(&format!("scontrol create reservation user={me} {words}")).ok().to_owned();
    create("reservationname=again starttime=now duration=10 nodes=node1 flags=hourly");
    create("reservationname=once starttime=now duration=10 nodes=node2");
    create("reservationname=free starttime=now duration=10 nodes=node3 flags=no_hold_jobs_after");
    create("reservationname=idle starttime=now duration=60 nodes=node4 flags=purge_comp=5");
    let runs = |name: &str| {
        lab.submit(&format!("--reservation={name} -J {name} -o runs-{name} -t 120 --wrap 'echo up; sleep 3600'"))
    };
    let waits = |name: &str| {
        lab.submit(&format!("--reservation={name} -J {name} -o waits-{name} -t 5 --exclusive --wrap 'echo up'"))
    };
    let running = ["again", "once", "free"].map(runs);
    ["again", "once", "free"].iter().for_each(|name| drop(lab.until_file(&format!("runs-{name}"), "up")));
    let [again, once, free] = ["again", "once", "free"].map(waits);
    let start =
        |name: &str| lab.sh(&format!("sinfo -h -T | grep ^{name} | tr -s ' ' | cut -d' ' -f2,3")).ok().to_owned();
    let first = start("again");
    assert!(first.starts_with("ACTIVE "), "{first}");

    // At its end what runs in it ends. What waits for one that comes again waits on.
    lab.set_clock(11 * 60);
    for id in running {
        lab.until(&format!("squeue > /dev/null; sacct -n -X -P -j {id} -o state"), "TIMEOUT");
    }
    let second = start("again");
    assert!(second.starts_with("INACTIVE ") && second[9..] != first[7..], "{second}");
    let shown = |id: u32| format!("squeue -h -j {id} -o '%t %T %r %v'");
    assert_eq!(lab.sh(&shown(again)).ok(), "PD PENDING Reservation again\n");
    lab.until(&shown(once), "RD RESV_DEL_HOLD Reservation once was deleted (null)");
    assert_eq!(
        lab.sh(&format!("squeue -h -t rd -o %i; sacct -n -X -P -j {once} -o state")).ok(),
        format!("{once}\nPENDING\n")
    );
    lab.until_file("waits-free", "up");
    lab.until_state(free, "COMPLETED");
    // Nobody used it.
    assert_eq!(lab.sh("sinfo -h -T | cut -d' ' -f1").ok(), "again\n");

    lab.kill_controller();
    assert_eq!(lab.sh(&shown(once)).ok(), "RD RESV_DEL_HOLD Reservation once was deleted (null)\n");
    lab.sh(&format!("scontrol release {once}")).ok();
    lab.until_state(once, "COMPLETED");
    lab.set_clock(61 * 60);
    lab.until_state(again, "COMPLETED");
    assert_eq!(start("again").replace("INACTIVE", "ACTIVE"), second.replace("INACTIVE", "ACTIVE"));
}

#[test]
fn what_cannot_be_reserved_is_refused_as_slurm_does() {
    let (lab, me) = (Lab::new(FOUR), user_name());
    let create = |words: &str| lab.sh(&format!("scontrol create reservation {words}")).fails(1).to_owned();
    let whole = format!("starttime=now duration=60 users={me}");
    let refused = |words: &str| format!("Error creating the reservation: {words}\n");
    assert_eq!(create(&format!("{whole} nodes=nodeX")), refused("Invalid node name specified"));
    assert_eq!(create("starttime=now duration=60 users=nobody.known nodecnt=1"), refused("Invalid user id"));
    assert_eq!(
        create(&format!("starttime=2020-01-01 duration=60 users={me} nodes=node1")),
        refused("Invalid time specified")
    );
    assert_eq!(
        create("starttime=now duration=60 nodecnt=1"),
        "scontrol: error: Either Users/Groups and/or Accounts must be specified.  No reservation created.\n"
    );
    assert_eq!(
        create(&format!("{whole} nodes=ALL color=blue")),
        "scontrol: error: Unknown parameter color=blue.  No reservation created.\n"
    );
    lab.sh(&format!("scontrol create reservation reservationname=r {whole} nodes=node1")).ok();
    assert_eq!(create(&format!("reservationname=r {whole} nodes=node2")), refused("Duplicate reservation name"));
    let overlaps = refused("Requested reservation overlaps with another reservation");
    assert_eq!(create(&format!("{whole} nodes=node[1-2]")), overlaps);
    lab.submit("-w node2 -t 60 -o /dev/null --wrap 'sleep 3600'");
    lab.until("squeue -h -t R -o %N", "node2");
    let busy = create(&format!("{whole} nodes=node2"));
    assert!(busy.starts_with(&refused("Requested nodes are busy")) && busy.lines().count() == 3, "{busy}");
    let out = lab.sh(&format!("scontrol create reservation {whole} nodes=node2 flags=ignore_jobs"));
    assert_eq!(out.ok(), format!("Reservation created: {me}_2\n"));
    let unknown = lab.sh("scontrol show reservation nope");
    assert_eq!((unknown.stdout.as_str(), unknown.code), ("Reservation nope not found\n", 1));
    assert_eq!(
        lab.sh("scontrol delete reservationname=nope").fails(1),
        "delete_reservation reservationname=nope: Requested reservation is invalid\n"
    );
    assert_eq!(lab.sh("scontrol create bogus").fails(1), "scontrol: error: Invalid creation entity: bogus\n");
    lab.sh("scontrol create reservation reservationname=theirs starttime=now duration=60 accounts=others nodes=node3")
        .ok();
    assert_eq!(
        lab.sh("sbatch --reservation=theirs --wrap true").fails(1),
        "sbatch: error: Batch job submission failed: Access denied to requested reservation\n"
    );
}
