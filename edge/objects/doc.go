// Package objects keeps documents of users and rooms at an edge, each as fresh
// as the last watermark of the state log.
//
// A document is held together with the interest in it: from the marker of that
// interest on, every change comes on the state log's stream, so what is held is
// what the core has, but for what is on its way (rules 5 and 8). To evict a
// document gives its interest up. That there is no such document is held in the
// same way, in a share of the budget of its own, so that made-up ids push
// nothing out.
//
// What isn't held is asked for by key, once for all who ask at the same time,
// and many keys in one question. The question names the number of the interest's
// delta, so that it is answered from after it took effect. Whoever asked first
// may leave: the question is the package's own.
//
// A document that came with another answer (a welcome's) can be put in by Seed:
// it counts once the interest's marker says that it has not changed since.
package objects
