// Condition types and machine reasons that vipvs writes. docs/reference/conditions.md explains each one.

export const ADDRESS_ASSIGNED = 'vipvs.io/AddressAssigned';
export const PROGRAMMED = 'vipvs.io/Programmed';
export const LOAD_BALANCER_CLASS = 'vipvs.io/vipvs';
