import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnVersions } from '../../../../src/assigner/write/own-versions.ts';

test('a version is translated along our own writes', () => {
  const own = new OwnVersions();
  own.wrote('IP/a', undefined, '10');
  assert.equal(own.translate('IP/a', undefined), '10', 'decided on what we made');
  own.wrote('IP/a', '10', '12');
  own.wrote('IP/a', '12', '15');
  assert.equal(own.translate('IP/a', '10'), '15');
  assert.equal(own.translate('IP/a', '12'), '15');
  assert.equal(own.translate('IP/a', '15'), '15');
  assert.equal(own.translate('IP/a', '11'), '11', 'not ours');
  assert.equal(own.translate('IP/b', '10'), '10', 'another object');
});

test('a version is not translated over a write of somebody else', () => {
  const own = new OwnVersions();
  own.wrote('IP/a', '10', '12');
  own.wrote('IP/a', '13', '14'); // 13 is not ours
  assert.equal(own.translate('IP/a', '10'), '10');
  assert.equal(own.translate('IP/a', '13'), '14');
  own.interrupted('IP/a');
  own.interrupted('IP/unknown');
  assert.equal(own.translate('IP/a', '13'), '13');
});

test('versions that we replaced are past, also over a delete and a write of somebody else', () => {
  const own = new OwnVersions();
  own.wrote('IP/a', undefined, '10');
  own.wrote('IP/a', '10', '12');
  assert.equal(own.isPast('IP/a', '10'), true);
  assert.equal(own.isPast('IP/a', '12'), false, 'it stands');
  own.wrote('IP/a', '12', undefined);
  assert.equal(own.isPast('IP/a', '12'), true, 'deleted');
  own.wrote('IP/a', undefined, '20');
  own.interrupted('IP/a');
  assert.equal(own.isPast('IP/a', '10'), true);
  assert.equal(own.isPast('IP/a', '20'), false);
  assert.equal(own.isPast('IP/a', undefined), false);
  assert.equal(own.isPast('IP/b', '10'), false);
  assert.equal(own.translate('IP/a', '10'), '10', 'what came before the delete is another object');
});

test('a chain is forgotten when the watch has caught up and nothing waits', () => {
  const own = new OwnVersions();
  own.wrote('IP/a', '10', '12');
  own.release('IP/a');
  assert.equal(own.size, 1, 'the watch may still show 10');
  own.shown('IP/a', '10');
  own.shown('IP/b', '10');
  own.release('IP/a');
  assert.equal(own.size, 1);
  own.shown('IP/a', '12');
  assert.equal(own.translate('IP/a', '10'), '12', 'until it is released');
  own.release('IP/a');
  assert.equal(own.size, 0);
  own.wrote('IP/a', '12', undefined);
  own.shown('IP/a', undefined);
  own.release('IP/a');
  assert.equal(own.size, 0, 'the delete was shown');
});

test('what is remembered is bounded: the least recently written goes first', () => {
  const own = new OwnVersions(2);
  own.wrote('IP/a', '1', '2');
  own.wrote('IP/b', '3', '4');
  own.wrote('IP/a', '2', '5');
  own.wrote('IP/c', '6', '7');
  assert.equal(own.size, 2);
  assert.equal(own.translate('IP/b', '3'), '3', 'forgotten');
  assert.equal(own.translate('IP/a', '1'), '5');
});
