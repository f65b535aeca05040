// Package scenariotest holds a simulation's scenario to what is true of all of them.
package scenariotest
