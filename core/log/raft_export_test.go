package log

import "time"

// RaftTimes is what came of setting them.
func RaftTimes() error { return raftTimes }

// SetRaftTimes sets them again.
func SetRaftTimes() error { return setRaftTimes() }

// RaftTimesNow are the server's times of elections, beats and lost quorums.
func RaftTimesNow() [5]time.Duration {
	return [...]time.Duration{minElectionTimeout, maxElectionTimeout, hbInterval, lostQuorumInterval, lostQuorumCheck}
}
