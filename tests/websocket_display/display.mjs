// Shows a count, as a browser would with the same package: node display.mjs URL TOPIC prints each number that it is told.
import mqtt from 'mqtt';

const [url, topic] = process.argv.slice(2);

mqtt.connect(url, {reconnectPeriod: 200}).subscribe(topic).on('message', (_, payload) => console.log(+payload));
