package fanout

import (
	"errors"
	"fmt"

	"selvedge/simulations/limits"
)

// errLimit: this machine can't hold so many gateways.
var errLimit = errors.New("too many gateways for this machine")

const (
	// spareFiles are those of a process beside its gateways'.
	spareFiles = 100
	// Bytes of a gateway in all processes together, as measured at 5,000 links; of
	// everything else that runs.
	bytesPerGateway = 700 << 10
	bytesOfAllElse  = 1500 << 20
)

// fits reports why a scenario does not fit into the limits, with the arithmetic.
func (s *Scenario) fits(l limits.Limits) error {
	n := s.most()
	perProcess := (n + s.Processes - 1) / s.Processes
	need := func(who string, gateways int) error {
		if all := uint64(gateways + spareFiles); all > l.Files {
			return fmt.Errorf("%w: %s has a file for each of its gateways: %d + %d others = %d, and a process may open %d: raise the limit (ulimit -n), or take fewer",
				errLimit, who, gateways, spareFiles, all, l.Files)
		}
		return nil
	}
	errs := []error{need(fmt.Sprintf("each of %d load processes (of %d gateways)", s.Processes, n), perProcess)}
	if s.has(tierRedis, tierCluster, tierSharded) {
		errs = append(errs, need("a Redis server", n))
	}
	if want := int64(n)*bytesPerGateway + bytesOfAllElse; l.Memory > 0 && want > l.Memory {
		errs = append(errs, fmt.Errorf("%w: %d gateways of some %d KiB, and %d MiB for everything else, are %d MiB, and %d MiB are available",
			errLimit, n, bytesPerGateway>>10, bytesOfAllElse>>20, want>>20, l.Memory>>20))
	}
	return errors.Join(errs...)
}
