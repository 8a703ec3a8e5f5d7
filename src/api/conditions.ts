// Condition types that vipvs writes. docs/reference/conditions.md explains each type and reason.

export const ADDRESS_ASSIGNED = 'vipvs.io/AddressAssigned';
export const PROGRAMMED = 'vipvs.io/Programmed';
export const LOAD_BALANCER_CLASS = 'vipvs.io/vipvs';
