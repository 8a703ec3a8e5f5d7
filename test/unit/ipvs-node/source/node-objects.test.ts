import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeObjects } from '../../../../src/ipvs-node/source/node-objects.ts';
import { ParkedSlices } from '../../../../src/ipvs-node/source/parked-slices.ts';
import { endpointSliceSchema } from '../../../../src/api/kubernetes.ts';
import { service, slice } from '../objects.ts';

function objects(): { readonly objects: NodeObjects; readonly told: string[] } {
  const told: string[] = [];
  const made = new NodeObjects((before, after) => {
    told.push(
      `${before === undefined ? '+' : after === undefined ? '-' : '~'}${(after ?? before)?.kind ?? ''}`,
    );
  });
  return { objects: made, told };
}

test('slices come before their Service, after it, and stay when it goes', () => {
  const { objects: all, told } = objects();
  const slices = (): number => all.store.endpointSlicesOf('default/web').length;
  all.set(slice(['10.0.0.1']));
  all.set(slice(['10.0.0.2'], { of: 'other' }));
  assert.deepEqual([slices(), all.shelved, told], [0, 2, []]);
  all.set(service());
  assert.deepEqual([slices(), all.shelved, told], [1, 1, ['+Service']]);
  all.set(slice(['10.0.0.3'], { name: 'web-2' }));
  all.set(slice(['10.0.0.4'], { name: 'web-2' }));
  all.set(service({ ingress: ['192.0.2.11'] }));
  assert.deepEqual(told.splice(0), ['+Service', '+EndpointSlice', '~EndpointSlice', '~Service']);
  all.delete('Service', 'default/web');
  assert.deepEqual([slices(), all.shelved], [0, 3]);
  assert.equal(told[0], '-Service');
  all.delete('EndpointSlice', 'default/web-2');
  all.set(service());
  assert.deepEqual([slices(), all.shelved], [1, 1]);
});

test('a slice whose label moves it to another Service leaves the first', () => {
  const { objects: all, told } = objects();
  all.set(service());
  all.set(slice(['10.0.0.1'], { name: 's' }));
  all.set(slice(['10.0.0.1'], { name: 's', of: 'other' }));
  assert.deepEqual(told, ['+Service', '+EndpointSlice', '-EndpointSlice']);
  assert.equal(all.store.endpointSlicesOf('default/web').length, 0);
  all.set(slice(['10.0.0.1'], { name: 's' }));
  assert.deepEqual([all.store.endpointSlicesOf('default/web').length, all.shelved], [1, 0]);
  all.delete('EndpointSlice', 'default/s');
  all.delete('EndpointSlice', 'default/s');
  assert.equal(told.at(-1), '-EndpointSlice');
});

test('the shelf gives back what was put', () => {
  const shelf = new ParkedSlices();
  const one = endpointSliceSchema.parse(slice(['10.0.0.1']));
  shelf.put(one);
  shelf.put(endpointSliceSchema.parse({ ...one, metadata: { name: 'unlabelled' } }));
  assert.equal(shelf.size, 1);
  shelf.remove('default/none');
  assert.deepEqual(shelf.take('default/web'), [JSON.parse(JSON.stringify(one))]);
  assert.deepEqual([shelf.take('default/web'), shelf.size], [[], 0]);
});

test('while Services are listed, slices wait as they are', () => {
  const { objects: all, told } = objects();
  all.awaitServices();
  all.set(slice(['10.0.0.1']));
  all.set(slice(['10.0.0.2']));
  all.set(slice(['10.0.0.3'], { name: 'gone' }));
  all.set(slice(['10.0.0.4'], { of: 'other', name: 'other-1' }));
  all.delete('EndpointSlice', 'default/gone');
  all.set(service());
  assert.deepEqual([all.shelved, told], [0, ['+Service']]);
  all.servicesListed();
  assert.deepEqual([all.shelved, told], [1, ['+Service', '+EndpointSlice']]);
  assert.deepEqual(
    all.store.endpointSlicesOf('default/web').map(({ endpoints }) => endpoints[0]?.addresses),
    [['10.0.0.2']],
  );
  all.servicesListed();
  assert.equal(told.length, 2);
});
