package router

import (
	"math"
	"strings"
	"testing"
	"time"
)

func measurement(loss, rtt []float64) *TCPCommand {
	return &TCPCommand{Seed: 1, Loss: loss, RTT: rtt, Conns: 60, Messages: 300, Every: 100 * time.Millisecond}
}

// All flags are looked at before the first network is measured.
func TestTCPFlagsAreBounded(t *testing.T) {
	for want, c := range map[string]*TCPCommand{
		"--loss NaN":  measurement([]float64{0, math.NaN()}, []float64{20}),
		"--loss 0.3":  measurement([]float64{0, 0.3}, []float64{20}),
		"--rtt NaN":   measurement([]float64{0}, []float64{20, math.NaN()}),
		"--rtt 2001":  measurement([]float64{0}, []float64{20, 2001}),
		"--conns 1":   {Messages: 1, Every: time.Second},
		"--loss -0.1": measurement([]float64{-0.1}, nil),
	} {
		if err := c.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := measurement([]float64{0, 0.2}, []float64{0, 2000}).check(); err != nil {
		t.Error(err)
	}
}

func TestTheTCPCommandCanBeGivenAgain(t *testing.T) {
	const want = "selvedge simulate tcp --seed 1 --loss 0,0.001,0.02 --rtt 20,80.5 --conns 60 --messages 300 --every 100ms"
	if got := measurement([]float64{0, 0.001, 0.02}, []float64{20, 80.5}).line(); got != want {
		t.Error(got)
	}
}
