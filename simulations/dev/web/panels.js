// On a narrow page, rooms and members are panels that open one at a time.

import { $ } from './view.js';

const PANELS = [['show-rooms', 'rooms-panel'], ['show-members', 'members-panel']];

export function setUpPanels() {
  for (const [button, panel] of PANELS) {
    $(button).addEventListener('click', () => {
      const open = $(button).getAttribute('aria-expanded') !== 'true';
      closePanels();
      show(button, panel, open);
      if (open) $(panel).querySelector('[aria-current], button, h2').focus();
    });
    $(panel).addEventListener('keydown', (e) => {
      if (e.key !== 'Escape' || $(button).getAttribute('aria-expanded') !== 'true') return;
      closePanels();
      $(button).focus();
    });
  }
}

export function closePanels() {
  for (const [button, panel] of PANELS) show(button, panel, false);
}

function show(button, panel, open) {
  $(button).setAttribute('aria-expanded', String(open));
  $(panel).classList.toggle('open', open);
}
