//! Every input in every state.

use super::*;

/// State, input, what comes out, the state after. For whatever is not here, nothing comes out and the state stays.
/// Who is asked about from outside is ann, who is in is ann for a hundred seconds, and who takes over is bob.
const CELLS: &str = "
connect: verifying   | authenticate | cancel(1) close                                  | closed
connect: verifying   | guest        | cancel(1) close                                  | closed
connect: verifying   | unusable     | cancel(1) close                                  | closed
connect: verifying   | exhausted    | cancel(1) close                                  | closed
connect: verifying   | packet       | cancel(1) close                                  | closed
connect: verifying   | ok ann       | ask(ann)                                         | connect: asking
connect: verifying   | ok bob       | ask(bob)                                         | connect: asking
connect: verifying   | ok over      | failed refuse(token_expired)                     | closed
connect: verifying   | err          | failed refuse(invalid_token)                     | closed
connect: verifying   | unavailable  | refuse(auth_unavailable)                         | closed
connect: verifying   | revoked      | cancel(1) refuse(token_revoked)                  | closed
connect: verifying   | revoked then | cancel(1) refuse(token_revoked)                  | closed
connect: verifying   | left         | cancel(1)                                        | closed
connect: verifying   | at 4999      |                                                  | connect: verifying
connect: verifying   | at 5000      | cancel(1) refuse(auth_unavailable)               | closed

connect: asking      | authenticate | cancel(1) close                                  | closed
connect: asking      | guest        | cancel(1) close                                  | closed
connect: asking      | unusable     | cancel(1) close                                  | closed
connect: asking      | exhausted    | cancel(1) close                                  | closed
connect: asking      | packet       | cancel(1) close                                  | closed
connect: asking      | yes          | enter(connect,100)                               | inside
connect: asking      | no           | refuse(insufficient_scope)                       | closed
connect: asking      | cannot tell  | refuse(auth_unavailable)                         | closed
connect: asking      | revoked      | cancel(1) refuse(token_revoked)                  | closed
connect: asking      | revoked then | cancel(1) refuse(token_revoked)                  | closed
connect: asking      | left         | cancel(1)                                        | closed
connect: asking      | at 44999     |                                                  | connect: asking
connect: asking      | at 45000     | cancel(1) refuse(auth_unavailable)               | closed

outside: waiting     | authenticate | verify(1)                                        | outside: verifying
outside: waiting     | guest        | ask(guest)                                       | outside: asking
outside: waiting     | unusable     | unauthorized(credentials_bad_format)+ack4        | outside: waiting
outside: waiting     | exhausted    | unauthorized(too_many_attempts)+ack7 disconnect  | closed
outside: waiting     | revoked      | disconnect                                       | closed
outside: waiting     | left         |                                                  | closed
outside: waiting     | at 4999      |                                                  | outside: waiting
outside: waiting     | at 5000      | unauthorized(auth_timeout) disconnect            | closed

outside: verifying   | authenticate | unauthorized(auth_in_progress)                   | outside: verifying
outside: verifying   | guest        | unauthorized(auth_in_progress)+ack3              | outside: verifying
outside: verifying   | unusable     | unauthorized(auth_in_progress)+ack4              | outside: verifying
outside: verifying   | exhausted    | unauthorized(auth_in_progress)+ack7              | outside: verifying
outside: verifying   | ok ann       | ask(ann)                                         | outside: asking
outside: verifying   | ok bob       | ask(bob)                                         | outside: asking
outside: verifying   | ok over      | failed unauthorized(token_expired)               | outside: waiting
outside: verifying   | err          | failed unauthorized(invalid_token)               | outside: waiting
outside: verifying   | unavailable  | unauthorized(auth_unavailable)                   | outside: waiting
outside: verifying   | revoked      | cancel(1) unauthorized(token_revoked) disconnect | closed
outside: verifying   | revoked then | cancel(1) unauthorized(token_revoked) disconnect | closed
outside: verifying   | left         | cancel(1)                                        | closed
outside: verifying   | at 4999      |                                                  | outside: verifying
outside: verifying   | at 5000      | cancel(1) unauthorized(auth_unavailable) disconnect | closed

outside: asking      | authenticate | unauthorized(auth_in_progress)                   | outside: asking
outside: asking      | guest        | unauthorized(auth_in_progress)+ack3              | outside: asking
outside: asking      | unusable     | unauthorized(auth_in_progress)+ack4              | outside: asking
outside: asking      | exhausted    | unauthorized(auth_in_progress)+ack7              | outside: asking
outside: asking      | yes          | enter(event,100)                                 | inside
outside: asking      | no           | failed step-back unauthorized(insufficient_scope) | outside: waiting
outside: asking      | cannot tell  | step-back unauthorized(auth_unavailable)         | outside: waiting
outside: asking      | revoked      | cancel(1) unauthorized(token_revoked) disconnect | closed
outside: asking      | revoked then | cancel(1) unauthorized(token_revoked) disconnect | closed
outside: asking      | left         | cancel(1)                                        | closed
outside: asking      | at 44999     |                                                  | outside: asking
outside: asking      | at 45000     | cancel(1) step-back unauthorized(auth_unavailable) disconnect | closed

inside               | authenticate | verify(2)                                        | inside: refreshing
inside               | guest        | unauthorized(credentials_required)+ack3          | inside
inside               | unusable     | unauthorized(credentials_bad_format)+ack4        | inside
inside               | exhausted    | unauthorized(too_many_attempts)+ack7             | inside
inside               | packet       | deliver(1)                                       | inside
inside               | revoked      | unauthorized(token_revoked) disconnect           | closed
inside               | expire in    | expiring(20,moving)                              | inside
inside               | inherited ann | replace(50) | inside
inside               | inherited bob | ask(bob) | inside: asking
inside               | left         |                                                  | closed
inside               | at 69999     |                                                  | inside
inside               | at 70000     | expiring(30)                                     | inside
inside               | at 99999     | expiring(0)                                      | inside
inside               | at 100000    | unauthorized(token_expired) expire                | closed

inside: refreshing   | authenticate | unauthorized(auth_in_progress)                   | inside: refreshing
inside: refreshing   | guest        | unauthorized(auth_in_progress)+ack3              | inside: refreshing
inside: refreshing   | unusable     | unauthorized(auth_in_progress)+ack4              | inside: refreshing
inside: refreshing   | exhausted    | unauthorized(auth_in_progress)+ack7              | inside: refreshing
inside: refreshing   | packet       | deliver(1)                                       | inside: refreshing
inside: refreshing   | ok ann       | replace(50) authenticated                        | inside
inside: refreshing   | ok bob       | ask(bob)                                         | inside: asking
inside: refreshing   | ok over      | unauthorized(token_expired)                      | inside
inside: refreshing   | err          | unauthorized(invalid_token)                      | inside
inside: refreshing   | unavailable  | unauthorized(auth_unavailable)                   | inside
inside: refreshing   | revoked      | cancel(2) unauthorized(token_revoked) disconnect | closed
inside: refreshing   | revoked then | cancel(2) unauthorized(token_revoked) disconnect | closed
inside: refreshing   | expire in    | expiring(20,moving)                              | inside: refreshing
inside: refreshing   | inherited ann | replace(50) | inside: refreshing
inside: refreshing   | inherited bob | cancel(2) unauthorized(identity_mismatch) ask(bob) | inside: asking
inside: refreshing   | left         | cancel(2)                                        | closed
inside: refreshing   | at 4999      |                                                  | inside: refreshing
inside: refreshing   | at 5000      | cancel(2) unauthorized(auth_unavailable)         | inside
inside: refreshing   | at 100000    | cancel(2) unauthorized(token_expired) expire      | closed

inside: asking       | authenticate | unauthorized(auth_in_progress)                   | inside: asking
inside: asking       | guest        | unauthorized(auth_in_progress)+ack3              | inside: asking
inside: asking       | unusable     | unauthorized(auth_in_progress)+ack4              | inside: asking
inside: asking       | exhausted    | unauthorized(auth_in_progress)+ack7              | inside: asking
inside: asking       | packet       | deliver(1)                                       | inside: asking
inside: asking       | yes          | leave-rooms become(switch,100) authenticated     | inside
inside: asking       | no           | step-back unauthorized(insufficient_scope)       | inside
inside: asking       | cannot tell  | step-back unauthorized(auth_unavailable)         | inside
inside: asking       | revoked      | cancel(2) unauthorized(token_revoked) disconnect | closed
inside: asking       | revoked then | cancel(2) unauthorized(token_revoked) disconnect | closed
inside: asking       | expire in    | expiring(20,moving)                              | inside: asking
inside: asking       | inherited ann | replace(50) | inside: asking
inside: asking       | inherited bob | cancel(2) step-back unauthorized(identity_mismatch) ask(bob) | inside: asking
inside: asking       | left         | cancel(2)                                        | closed
inside: asking       | at 44999     |                                                  | inside: asking
inside: asking       | at 45000     | cancel(2) step-back unauthorized(auth_unavailable) | inside
inside: asking       | at 100000    | cancel(2) step-back unauthorized(token_expired) expire | closed

inside: revalidating | authenticate | cancel(2) verify(3)                              | inside: refreshing
inside: revalidating | guest        | cancel(2) unauthorized(credentials_required)+ack3 | inside
inside: revalidating | unusable     | cancel(2) unauthorized(credentials_bad_format)+ack4 | inside
inside: revalidating | exhausted    | cancel(2) unauthorized(too_many_attempts)+ack7   | inside
inside: revalidating | packet       | deliver(1)                                       | inside: revalidating
inside: revalidating | ok ann       | replace(50)                                      | inside
inside: revalidating | ok bob       | unauthorized(identity_mismatch) disconnect       | closed
inside: revalidating | ok over      | unauthorized(token_expired) expire                | closed
inside: revalidating | err          | unauthorized(invalid_token) disconnect           | closed
inside: revalidating | unavailable  |                                                  | inside
inside: revalidating | revoked      | cancel(2) unauthorized(token_revoked) disconnect | closed
inside: revalidating | revoked then | cancel(2) unauthorized(token_revoked) disconnect | closed
inside: revalidating | expire in    | expiring(20,moving)                              | inside: revalidating
inside: revalidating | inherited ann | cancel(2) replace(50) | inside
inside: revalidating | inherited bob | cancel(2) ask(bob) | inside: asking
inside: revalidating | left         | cancel(2)                                        | closed
inside: revalidating | at 4999      |                                                  | inside: revalidating
inside: revalidating | at 5000      | cancel(2)                                        | inside
inside: revalidating | at 90000     | cancel(2) unauthorized(token_expired) expire      | closed

inside: downgrading  | authenticate | unauthorized(auth_in_progress)                   | inside: downgrading
inside: downgrading  | guest        | unauthorized(auth_in_progress)+ack3              | inside: downgrading
inside: downgrading  | unusable     | unauthorized(auth_in_progress)+ack4              | inside: downgrading
inside: downgrading  | exhausted    | unauthorized(auth_in_progress)+ack7              | inside: downgrading
inside: downgrading  | yes          | leave-rooms become(downgrade,-)                  | inside
inside: downgrading  | no           | unauthorized(insufficient_scope) disconnect      | closed
inside: downgrading  | cannot tell  | unauthorized(auth_unavailable) disconnect        | closed
inside: downgrading  | revoked      | cancel(2) unauthorized(token_revoked) disconnect | closed
inside: downgrading  | revoked then | cancel(2) unauthorized(token_revoked) disconnect | closed
inside: downgrading  | left         | cancel(2)                                        | closed
inside: downgrading  | at 44999     |                                                  | inside: downgrading
inside: downgrading  | at 45000     | cancel(2) unauthorized(auth_unavailable) disconnect | closed
";

/// Every state, when it is reached, and what is or was last under way there.
const STATES: [(&str, u64, u32); 11] = [
    ("connect: verifying", 0, 1),
    ("connect: asking", 0, 1),
    ("outside: waiting", 0, 1),
    ("outside: verifying", 0, 1),
    ("outside: asking", 0, 1),
    ("inside", 0, 1),
    ("inside: refreshing", 0, 2),
    ("inside: asking", 0, 2),
    ("inside: revalidating", 10_000, 2),
    ("inside: downgrading", 100_000, 2),
    ("closed", 0, 1),
];

const INPUTS: [&str; 28] = [
    "connect",
    "connect granted",
    "authenticate",
    "guest",
    "unusable",
    "exhausted",
    "packet",
    "acked",
    "ok ann",
    "ok bob",
    "ok over",
    "err",
    "unavailable",
    "yes",
    "no",
    "cannot tell",
    "revoked",
    "revoked then",
    "late ok",
    "late err",
    "late yes",
    "late no",
    "late revoked then",
    "expire in",
    "inherited ann",
    "inherited bob",
    "expires elsewhere",
    "left",
];

fn input(word: &str, epoch: u32) -> In {
    let late = epoch - 1;
    match word {
        "connect" => connect(token()),
        "connect granted" => Input::ConnectGranted {
            granted: Granted {
                grant: "eve",
                subject: "eve".into(),
                expires_in: None,
            },
            credential: None,
        },
        "authenticate" => authenticate(),
        "guest" => present(Collected::Guest, Some(3)),
        "unusable" => {
            let presented = Collected::Rejected(Code::CredentialsBadFormat.into());
            present(presented, Some(4))
        }
        "exhausted" => Input::Authenticate {
            presented: token(),
            ack: Some(7),
            failed_attempts: 3,
        },
        "packet" => Input::Packet(1),
        "acked" => Input::UnauthorizedAcked { notice: 1 },
        "ok ann" => ok(epoch, "ann", 50),
        "ok bob" => ok(epoch, "bob", 50),
        "ok over" => ok(epoch, "ann", 0),
        "err" => err(epoch, Code::InvalidToken),
        "unavailable" => err(epoch, Code::AuthUnavailable),
        "yes" => yes(epoch),
        "no" => no(epoch),
        "cannot tell" => Input::Asked {
            epoch,
            verdict: Err(Rejection::unavailable("no database")),
        },
        "revoked" => revoked(),
        "revoked then" => revoked_meanwhile(epoch),
        "late ok" => ok(late, "eve", 50),
        "late err" => err(late, Code::InvalidToken),
        "late yes" => yes(late),
        "late no" => no(late),
        "late revoked then" => revoked_meanwhile(late),
        "expire in" => Input::ExpireIn {
            margin: Duration::from_secs(20),
            reason: Some("moving".into()),
        },
        "inherited ann" => inherited("ann", Duration::from_secs(50)),
        "inherited bob" => inherited("bob", Duration::from_secs(50)),
        "expires elsewhere" => Input::ConnectionExpires,
        "left" => Input::Left,
        _ => panic!("{word}"),
    }
}

fn cells() -> Vec<[&'static str; 4]> {
    let lines = CELLS.lines().filter(|line| !line.is_empty());
    let cells = lines.map(|line| line.splitn(4, '|').map(str::trim).collect::<Vec<_>>());
    cells.map(|cell| cell.try_into().unwrap()).collect()
}

#[test]
fn every_cell_of_the_table_holds() {
    let mut cells = cells();
    for (state, reached_at, epoch) in STATES {
        for word in INPUTS {
            let is_here = |cell: &[&str; 4]| cell[..2] == [state, word];
            let cell = cells.iter().position(is_here);
            let [.., expected, after] =
                cell.map_or([state, word, "", state], |at| cells.swap_remove(at));
            let mut bench = Bench::at(state);
            let outputs = bench.step(reached_at, input(word, epoch));
            assert_eq!(outputs, expected, "{state}: {word}");
            assert_eq!(bench.machine.state(), after, "{state}: {word}");
        }
    }
    for [state, time, expected, after] in cells {
        let (_, reached_at, _) = STATES.iter().find(|of| of.0 == state).unwrap();
        let millis: u64 = time.strip_prefix("at ").unwrap().parse().unwrap();
        let mut bench = Bench::at(state);
        let outputs = bench.step(reached_at + millis, Input::Timeout);
        assert_eq!(outputs, expected, "{state}: {time}");
        assert_eq!(bench.machine.state(), after, "{state}: {time}");
    }
}

/// A deadline takes effect before what comes after it, whether the timer is late or not.
#[test]
fn what_comes_after_a_deadline_finds_it_passed() {
    for [state, time, ..] in cells() {
        let Some(millis) = time.strip_prefix("at ") else {
            continue;
        };
        let (_, reached_at, epoch) = STATES.iter().find(|of| of.0 == state).unwrap();
        let at = reached_at + millis.parse::<u64>().unwrap();
        for word in INPUTS {
            let (mut on_time, mut late) = (Bench::at(state), Bench::at(state));
            let first = on_time.step(at, Input::Timeout);
            let second = on_time.step(at, input(word, *epoch));
            let both = [first, second].join(" ");
            assert_eq!(
                both.trim(),
                late.step(at, input(word, *epoch)),
                "{state}, {time}: {word}"
            );
            assert_eq!(on_time.machine.state(), late.machine.state());
        }
    }
}
