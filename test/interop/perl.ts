import { Driven } from './support/driven.ts';
import { stompSteps } from './support/stomp-steps.ts';

const perl = new Driven({
  name: 'libnet-stomp-perl',
  tool: 'libnet-stomp-perl',
  script: 'driver.pl',
  versions: ['1.0', '1.1', '1.2'],
  beats: [],
  nacks: ['1.0', '1.1', '1.2'],
  waits: false,
});
stompSteps(perl, perl.register);
