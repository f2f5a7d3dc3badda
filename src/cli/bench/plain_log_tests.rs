use super::*;

/// The payloads of the lap that `file` holds from its start, up to the first frame that is not the next one.
fn read(file: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let (mut frames, mut rest) = (Vec::<(u64, Vec<u8>)>::new(), file);
    while let Some((head, behind)) = rest.split_at_checked(HEAD_BYTES) {
        let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        let sum = u32::from_le_bytes(head[4..8].try_into().unwrap());
        let number = u64::from_le_bytes(head[8..].try_into().unwrap());
        let Some((payload, behind)) = behind.split_at_checked(length) else { break };
        let follows = frames.last().is_none_or(|(last, _)| number == last + 1);
        if !follows || sum != checksum(&[&head[8..], payload]) {
            break;
        }
        frames.push((number, payload.to_vec()));
        rest = behind;
    }
    frames
}

fn client(log: &PlainLog, payload: &'static [u8]) -> LogClient {
    log.client(Clock::system(), Bytes::from_static(payload))
}

#[tokio::test]
async fn what_was_answered_is_in_the_file_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = PlainLog::create(&path).unwrap();
    client(&log, b"tide").work(Work::Cycle).await.unwrap();
    client(&log, b"mill").work(Work::Enqueue).await.unwrap();
    drop(log);

    let frames = read(&std::fs::read(&path).unwrap());
    let said: Vec<_> = frames.iter().map(|(number, payload)| (*number, payload[16..].to_vec())).collect();
    let expected = [b"tide".to_vec(), vec![1; CLAIM_BYTES], vec![2; OUTCOME_BYTES], b"mill".to_vec()];
    assert_eq!(said, (1..).zip(expected).collect::<Vec<_>>());
    assert_eq!(frames[0].1[..16], frames[2].1[..16], "an enqueue and its outcome have one id");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), FILE_BYTES as u64);
}

#[test]
fn a_lap_does_not_read_what_the_one_before_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let bytes = 10 * (HEAD_BYTES + 16 + 4);
    let mut writer = Writer::create(&path, bytes).unwrap();
    let numbers = |path| read(&std::fs::read(path).unwrap()).into_iter().map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!(numbers(&path), [0; 0]);
    for lap in 0..4 {
        for n in 1..=10 {
            let number = lap * 10 + n;
            let (done, mut answer) = oneshot::channel();
            let append = Append { id: [7; 16], bytes: Bytes::from_static(b"tide"), when: Durability::Synced, done };
            writer.append(&mut vec![append]);
            assert!(matches!(answer.try_recv(), Ok(Ok(()))));
            assert_eq!(numbers(&path), (lap * 10 + 1..=number).collect::<Vec<_>>());
        }
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes as u64);
}

#[tokio::test]
async fn after_a_damaged_byte_nothing_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = PlainLog::create(&path).unwrap();
    for _ in 0..3 {
        client(&log, b"tide").work(Work::Enqueue).await.unwrap();
    }
    drop(log);
    let mut file = std::fs::read(&path).unwrap();
    file[HEAD_BYTES + 16 + 4 + HEAD_BYTES] ^= 1;
    assert_eq!(read(&file).len(), 1);
}
