import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Overtaken } from '../../../../src/assigner/write/overtaken.ts';

const cases: readonly {
  readonly name: string;
  readonly known?: string;
  readonly tell: (overtaken: Overtaken) => void;
  readonly isOvertaken: boolean;
  readonly told?: readonly (string | undefined)[];
}[] = [
  { name: 'nothing is told', tell: () => undefined, isOvertaken: false },
  {
    name: 'a version',
    tell: (overtaken) => overtaken.told('IP/a', '12'),
    isOvertaken: true,
    told: ['12'],
  },
  {
    name: 'that it is gone',
    tell: (overtaken) => overtaken.told('IP/a', undefined),
    isOvertaken: true,
    told: [undefined],
  },
  {
    name: 'the version that was known: a watch that is late',
    tell: (overtaken) => overtaken.told('IP/a', '10'),
    isOvertaken: false,
    told: ['10'],
  },
  {
    name: 'of another object',
    tell: (overtaken) => overtaken.told('IP/b', '12'),
    isOvertaken: false,
  },
  {
    name: 'a new list',
    tell: (overtaken) => overtaken.toldOfAll(),
    isOvertaken: true,
  },
];

for (const { name, tell, isOvertaken, told = [] } of cases) {
  test(`told while a call is under way: ${name}`, async () => {
    const overtaken = new Overtaken();
    overtaken.told('IP/a', '9');
    const answered = await overtaken.during('IP/a', '10', async () => {
      assert.equal(overtaken.size, 1);
      await Promise.resolve();
      tell(overtaken);
      return 'answer';
    });
    assert.deepEqual(
      { ...answered, told: [...answered.told] },
      { answer: 'answer', isOvertaken, told },
    );
    assert.equal(overtaken.size, 0);
  });
}

test('the death of an earlier one of the name is no news for what is being made', async () => {
  const overtaken = new Overtaken();
  const made = await overtaken.during('IP/a', undefined, async () => {
    await Promise.resolve();
    overtaken.told('IP/a', undefined);
  });
  assert.equal(made.isOvertaken, false);
});

test('two calls about one object: each knows what it knew, and a failed one is forgotten', async () => {
  const overtaken = new Overtaken();
  const later = Promise.withResolvers<string>();
  const read = overtaken.during('IP/a', '10', () => later.promise);
  const failed = overtaken.during('IP/a', '12', () => Promise.reject(new Error('cut')));
  await assert.rejects(failed, /cut/);
  assert.equal(overtaken.size, 1);
  overtaken.told('IP/a', '12');
  later.resolve('late');
  assert.equal((await read).isOvertaken, true);
  assert.equal(overtaken.size, 0);
});
